//! Versions of container runtimes that a program is known to have left its container through.

/// Containers could be left through runc before these versions; each series got its own correction.
const RUNC: [(&str, &[Version]); 2] = [
    ("CVE-2024-21626", &[Version([1, 1, 12])]),
    ("CVE-2025-31133", &[Version([1, 2, 8]), Version([1, 3, 3]), Version([1, 4, 0])]),
];

/// What to do about such a version.
pub const ADVICE: &str = "upgrade runc, unless your distribution has taken the corrections into this version";

/// Three numbers of a version; what a packager adds behind them is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u64; 3]);

impl Version {
    /// The version that a text begins with.
    pub fn of(text: &str) -> Option<Self> {
        let plain = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut numbers = plain.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let patch = numbers.next().map_or(Some(0), |number| number.parse().ok())?;
        Some(Self([major, minor, patch]))
    }

    /// Whether this version is past the correction of its series, or of the newest series.
    fn is_corrected(self, corrected: &[Self]) -> bool {
        let Self([major, minor, _]) = self;
        let own_series =
            corrected.iter().find(|Self([first, second, _])| (*first, *second) == (major, minor));
        own_series.or(corrected.last()).is_some_and(|correction| self >= *correction)
    }
}

/// The escapes that a version of runc is older than the corrections of; `None` if the text is no version.
pub fn of_runc(version: &str) -> Option<Vec<&'static str>> {
    let version = Version::of(version)?;
    let open = RUNC.iter().filter(|(_, corrected)| !version.is_corrected(corrected));
    Some(open.map(|(name, _)| *name).collect())
}

#[cfg(test)]
mod tests {
    use super::{Version, of_runc};

    #[test]
    fn each_series_of_runc_has_its_own_correction() {
        let escapes = |version: &str| of_runc(version).unwrap().len();

        assert_eq!(escapes("1.1.5+ds1-1+deb12u1"), 2);
        assert_eq!(escapes("1.1.12"), 1);
        assert_eq!(escapes("1.2.7"), 1);
        assert_eq!(escapes("1.2.8"), 0);
        assert_eq!(escapes("1.3.2"), 1);
        assert_eq!(escapes("1.5.0"), 0);
    }

    #[test]
    fn what_a_packager_adds_to_a_version_is_left_out() {
        assert_eq!(Version::of("20.10.24+dfsg1"), Some(Version([20, 10, 24])));
        assert_eq!(Version::of("1.41"), Some(Version([1, 41, 0])));
        assert_eq!(Version::of("dev"), None);
    }
}
