//! An authority of our own, and the two certificates that it signs: the server's and the administrator's.
//!
//! The authority's key never leaves this process and is forgotten at the end, so an old kubeconfig opens nothing; unless the node's data
//! is kept, where the certificates are kept with it, and so that key need not be.

use crate::node::KeptData;
use anyhow::Result;
use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What TLS needs, on both sides. Texts are PEM.
pub(super) struct Pki {
    pub(super) authority: String,
    pub(super) client_certificate: String,
    pub(super) client_key: String,
    pub(super) server: Arc<ServerConfig>,
}

/// What is kept: everything but the authority's key. Texts are PEM.
#[derive(Serialize, Deserialize)]
struct Certificates {
    /// Where the server listens; another address needs another certificate.
    address: IpAddr,
    made: Timestamp,
    authority: String,
    server: String,
    server_key: String,
    client: String,
    client_key: String,
}

/// The name of the file.
const FILE: &str = "certificates.json";
/// After so many days new ones are made: they are good for a year.
const FRESH_DAYS: i64 = 300;

impl Pki {
    /// For a server on this address: those that are kept, if they are still good, or new ones, which are kept then.
    pub(super) fn of(address: IpAddr, data: Option<&KeptData>) -> Result<Self> {
        let Some(data) = data else {
            return Self::with(&Certificates::new(address)?);
        };
        let kept = data
            .read(FILE)?
            .and_then(|kept| serde_json::from_slice::<Certificates>(&kept).ok());
        let good = kept.filter(|kept| {
            let age = Timestamp::now().duration_since(kept.made);
            kept.address == address && age.as_hours() < 24 * FRESH_DAYS
        });
        if let Some(kept) = good {
            return Self::with(&kept);
        }
        let new = Certificates::new(address)?;
        data.write(FILE, &serde_json::to_vec(&new)?)?;
        Self::with(&new)
    }

    fn with(certificates: &Certificates) -> Result<Self> {
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(der(&certificates.authority)?)?;
        // Without a certificate a client is let in as far as the token check.
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()?;
        let key = PrivateKeyDer::from_pem_slice(certificates.server_key.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![der(&certificates.server)?], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            authority: certificates.authority.clone(),
            client_certificate: certificates.client.clone(),
            client_key: certificates.client_key.clone(),
            server: Arc::new(config),
        })
    }
}

impl Certificates {
    fn new(address: IpAddr) -> Result<Self> {
        let mut params = params("podsim", None, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default"]
            .map(str::to_owned)
            .into();
        names.extend(["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"].map(str::to_owned));
        names.push(address.to_string());
        let mut params = self::params("podsim-apiserver", None, names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &authority)?;

        // The name and the group that kubeadm gives its administrator.
        let mut params = self::params("kubernetes-admin", Some("system:masters"), Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client_key = KeyPair::generate()?;
        let client = params.signed_by(&client_key, &authority)?;
        Ok(Self {
            address,
            made: Timestamp::now(),
            authority: authority.pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
            client: client.pem(),
            client_key: client_key.serialize_pem(),
        })
    }
}

/// Valid from yesterday, for clocks that are not quite right, and for a year.
fn params(name: &str, organization: Option<&str>, names: Vec<String>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    let day = |days: i64| -> Result<_> {
        let date = Timestamp::now()
            .to_zoned(TimeZone::UTC)
            .checked_add(Span::new().days(days))?;
        let (month, day) = (u8::try_from(date.month())?, u8::try_from(date.day())?);
        Ok(date_time_ymd(date.year().into(), month, day))
    };
    params.not_before = day(-1)?;
    params.not_after = day(366)?;
    Ok(params)
}
