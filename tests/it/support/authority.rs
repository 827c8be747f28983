//! An authority of certificates, and the files that engines and their clients have of it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use std::time::{Duration, UNIX_EPOCH};

use guichet::clock::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

const A_WEEK: Duration = Duration::from_hours(7 * 24);

/// Whether a certificate is of use today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// It is.
    Now,
    /// It has expired.
    Past,
    /// It is, but not for long.
    Ending,
}

/// An authority; all have the same name.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, whose key no other has.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the fleet");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, and its key.
    pub fn certificate(&self, names: &[String], period: Period) -> (String, String) {
        let mut params = CertificateParams::new(names).expect("names");
        match period {
            Period::Now => {}
            Period::Past => params.not_after = date_time_ymd(2026, 1, 2),
            Period::Ending => {
                let end = Clock::System.now().plus(A_WEEK).millis();
                params.not_after = (UNIX_EPOCH + Duration::from_millis(end.unsigned_abs())).into();
            }
        }
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes `ca.pem`, `cert.pem` and `key.pem` into a folder, which is made if it is missing.
    pub fn write(&self, folder: &Path, names: &[String], period: Period) {
        let (certificate, key) = self.certificate(names, period);
        std::fs::create_dir_all(folder).expect("a folder");
        for (name, text) in [("ca.pem", self.pem()), ("cert.pem", certificate), ("key.pem", key)] {
            std::fs::write(folder.join(name), text).expect("a file");
            std::fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).expect("its mode");
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
