//! Where browsers find this service: its origin, whether they come by https, and whether a request comes from a page of it.
//!
//! A proxy in front may end TLS, change the name and take a prefix off. `server.public_url` says what is before it; without it
//! the request's own headers are believed. A page of another origin can set none of them, and who sends a request by a
//! program of his own deceives himself alone.

use axum::http::{HeaderMap, HeaderName, Uri, header};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What browsers write before the paths of this service: `https://school.example/guichet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme, name and port, as browsers write it in `Origin`.
    origin: String,
    /// The prefix, without a slash at its end.
    prefix: String,
}

/// Text that is no such address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be like https://school.example or https://school.example/guichet")]
pub struct InvalidPublicUrl;

impl std::str::FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.parse().map_err(|_source| InvalidPublicUrl)?;
        let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(InvalidPublicUrl)?;
        let standard_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(InvalidPublicUrl),
        };
        if uri.query().is_some() || text.contains('#') || authority.as_str().contains('@') {
            return Err(InvalidPublicUrl);
        }
        let host = authority.host().to_ascii_lowercase();
        let origin = match authority.port_u16() {
            Some(port) if port != standard_port => format!("{scheme}://{host}:{port}"),
            Some(_) | None => format!("{scheme}://{host}"),
        };
        Ok(Self { origin, prefix: uri.path().trim_end_matches('/').to_owned() })
    }
}

/// Whether a request may come from a page of this service: what browsers say of it, and without that, yes.
///
/// An address that a user typed (`none`) comes from no page; it is let read.
pub fn is_own(headers: &HeaderMap, public: Option<&PublicUrl>) -> bool {
    let mut sites = headers.get_all(FETCH_SITE).iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) => return site == "same-origin" || site == "none",
        (Some(_), Some(_)) => return false,
        (None, _) => {}
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => {
            let Ok(origin) = origin.to_str() else { return false };
            public.map_or_else(
                || host(headers).is_some_and(|host| authority(origin).eq_ignore_ascii_case(host)),
                |public| public.origin == origin,
            )
        }
        (Some(_), Some(_)) => false,
    }
}

/// Whether the browser that sent a request came by https.
pub fn is_https(headers: &HeaderMap, public: Option<&PublicUrl>) -> bool {
    let begins = |name: &HeaderName, scheme: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.starts_with(scheme))
    };
    public.is_some_and(|public| public.origin.starts_with("https:"))
        || begins(&FORWARDED_PROTO, "https")
        || begins(&header::ORIGIN, "https:")
}

/// The address of `path`, as browsers find it; `path` alone if nothing tells.
pub fn address(headers: &HeaderMap, public: Option<&PublicUrl>, path: &str) -> String {
    if let Some(PublicUrl { origin, prefix }) = public {
        return format!("{origin}{prefix}{path}");
    }
    let scheme = if is_https(headers, None) { "https" } else { "http" };
    host(headers).map_or_else(|| path.to_owned(), |host| format!("{scheme}://{host}{path}"))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty())
}

/// Name and port of an origin; nothing of what is none, like `null`.
fn authority(origin: &str) -> &str {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{PublicUrl, address, is_https, is_own};

    fn with(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let one = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(one).collect()
    }

    fn school() -> PublicUrl {
        "https://School.example:443/guichet/".parse().unwrap()
    }

    #[test]
    fn what_a_browser_says_of_a_request_decides() {
        let site = |site: &'static str| {
            is_own(&with(&[("sec-fetch-site", site), ("origin", "https://other"), ("host", "x")]), None)
        };

        assert!(site("same-origin") && site("none"));
        assert!(!site("cross-site") && !site("same-site") && !site("?"));
    }

    #[test]
    fn without_that_the_origin_decides() {
        let own = |origin: &'static str| {
            is_own(&with(&[("origin", origin), ("host", "school.example:8443")]), None)
        };

        assert!(own("https://school.example:8443") && own("http://SCHOOL.example:8443"));
        for foreign in
            ["null", "", "https://school.example", "https://evil.example:8443", "school.example:8443"]
        {
            assert!(!own(foreign), "{foreign}");
        }
        assert!(is_own(&with(&[("host", "x")]), None));
        assert!(!is_own(&with(&[("origin", "null")]), None));
    }

    #[test]
    fn what_is_set_stands_over_what_the_request_says() {
        let behind = with(&[("host", "127.0.0.1:8080"), ("origin", "https://school.example")]);

        assert!(is_own(&behind, Some(&school())) && !is_own(&behind, None));
        assert_eq!(address(&behind, Some(&school()), "/v1/me"), "https://school.example/guichet/v1/me");
        assert_eq!(address(&behind, None, "/v1/me"), "https://127.0.0.1:8080/v1/me");
        assert_eq!(address(&HeaderMap::new(), None, "/v1/me"), "/v1/me");
    }

    #[test]
    fn https_is_known_by_the_setting_the_proxy_or_the_browser() {
        assert!(is_https(&HeaderMap::new(), Some(&school())));
        assert!(is_https(&with(&[("x-forwarded-proto", "https")]), None));
        assert!(is_https(&with(&[("origin", "https://school.example")]), None));
        assert!(!is_https(
            &with(&[("origin", "http://school.example"), ("x-forwarded-proto", "http")]),
            None
        ));
    }

    #[test]
    fn what_is_no_address_of_a_service_is_refused() {
        for text in
            ["school.example", "ftp://x", "https://", "https://x/?a=b", "https://x/#a", "https://u@x", "/x"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
