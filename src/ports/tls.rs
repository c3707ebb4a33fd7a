//! TLS towards the sources: which certificates are trusted, and how a failure reads.
//!
//! One provider (aws-lc-rs) named explicitly, so that nothing depends on what was installed in the process before.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::domain::time::rfc3339_ms;

/// Whose certificates are trusted.
#[derive(Debug, Clone, Default)]
pub enum TlsRoots {
    /// Those that the system trusts.
    #[default]
    System,
    /// These alone.
    Only(Vec<CertificateDer<'static>>),
}

/// The TLS configuration of all outgoing connections; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    /// The configuration, or why there is none; plain connections work without it.
    config: Result<Arc<ClientConfig>, Arc<str>>,
}

impl Tls {
    /// Reads the certificates. A system that trusts none is told at each connect, not here.
    #[must_use]
    pub fn new(roots: &TlsRoots) -> Self {
        Self { config: build(roots).map(Arc::new).map_err(|error| Arc::from(error.to_string())) }
    }

    /// The configuration.
    ///
    /// # Errors
    /// Why there is none.
    pub fn config(&self) -> Result<Arc<ClientConfig>, Arc<str>> {
        self.config.clone()
    }
}

/// Builds the configuration: TLS 1.2 and 1.3, HTTP/1.1 alone, no client certificate.
fn build(roots: &TlsRoots) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = match roots {
        TlsRoots::System => builder.with_platform_verifier()?.with_no_client_auth(),
        TlsRoots::Only(certificates) => {
            let mut store = RootCertStore::empty();
            for certificate in certificates {
                store.add(certificate.clone())?;
            }
            builder.with_root_certificates(store).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What a failed TLS handshake looks like to a reader, as "certificate expired 2026-11-20".
#[must_use]
pub fn error_text(error: &io::Error) -> String {
    cause_text(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => "the server ended the handshake".to_owned(),
        _ => error.to_string(),
    })
}

/// The same for an error that TLS itself raised; `None` for any other.
#[must_use]
pub fn cause_text(error: &io::Error) -> Option<String> {
    let inner = error.get_ref()?;
    if let Some(wrapped) = inner.downcast_ref::<io::Error>() {
        return cause_text(wrapped);
    }
    let cause = inner.downcast_ref::<rustls::Error>()?;
    Some(match cause {
        rustls::Error::InvalidCertificate(reason) => certificate_text(reason),
        rustls::Error::AlertReceived(alert) => format!("the server refused ({alert:?})"),
        rustls::Error::InvalidMessage(_) => "the answer is not TLS".to_owned(),
        other => other.to_string(),
    })
}

/// What is wrong with a certificate.
fn certificate_text(reason: &CertificateError) -> String {
    let day = |at: &rustls::pki_types::UnixTime| {
        let ms = i64::try_from(at.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000);
        rfc3339_ms(ms).chars().take(10).collect::<String>()
    };
    match reason {
        CertificateError::Expired => "certificate expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => format!("certificate expired {}", day(not_after)),
        CertificateError::NotValidYet => "certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("certificate is not valid before {}", day(not_before))
        }
        CertificateError::NotValidForName => "certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, .. } => {
            format!("certificate is not for {}", expected.to_str())
        }
        CertificateError::UnknownIssuer => "certificate of an unknown issuer".to_owned(),
        CertificateError::Revoked => "certificate revoked".to_owned(),
        other => format!("certificate refused ({other:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use std::time::Duration;

    fn text(error: rustls::Error) -> String {
        error_text(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn failures_read_as_documented() {
        let expired = CertificateError::ExpiredContext {
            time: UnixTime::since_unix_epoch(Duration::from_secs(1_795_000_000)),
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(1_795_132_801)),
        };
        assert_eq!(text(expired.into()), "certificate expired 2026-11-20");
        assert_eq!(text(CertificateError::UnknownIssuer.into()), "certificate of an unknown issuer");
        assert_eq!(text(CertificateError::NotValidForName.into()), "certificate is for another name");
        let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(error_text(&eof), "the server ended the handshake");
    }

    #[test]
    fn a_store_of_nothing_is_still_a_configuration() {
        let tls = Tls::new(&TlsRoots::Only(Vec::new()));
        assert_eq!(tls.config().unwrap().alpn_protocols, vec![b"http/1.1".to_vec()]);
    }
}
