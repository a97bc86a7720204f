//! TLS to servers whose certificates nobody checks: so the kubelet probes, and so the API server passes requests on to Pods
//! (`InsecureSkipVerify` in `pkg/probe/http` and `pkg/registry/core/pod/rest`).

use parking_lot::Mutex;
use podsim_cri::BoxDuplex;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

/// What Go says of a server that does not speak TLS but HTTP.
pub const HTTP_INSTEAD: &str = "http: server gave HTTP response to HTTPS client";

/// Begins to speak TLS on a connection. The error is worded as Go's.
///
/// # Errors
///
/// The handshake fails.
pub async fn connect(stream: BoxDuplex, host: &str) -> Result<BoxDuplex, String> {
    let provider = Arc::new(ring::default_provider());
    let anyone = Arc::new(Anyone(provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(anyone)
        .with_no_client_auth();
    // An address is no name to ask for: none is sent then.
    let nameless = || ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| nameless());
    let beginning = Arc::new(Mutex::new(Vec::new()));
    let stream = Recorded {
        stream,
        beginning: beginning.clone(),
    };
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(_) if *beginning.lock() == HTTP => Err(HTTP_INSTEAD.to_owned()),
        Err(error) => Err(worded(&error)),
    }
}

/// How an answer in the clear begins.
const HTTP: &[u8] = b"HTTP/";

fn worded(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => "tls: first record does not look like a TLS handshake".to_owned(),
        Some(other) => format!("tls: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        None => error.to_string(),
    }
}

/// A connection of which the first bytes that come are kept.
struct Recorded {
    stream: BoxDuplex,
    beginning: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let mut beginning = self.beginning.lock();
        let missing = HTTP.len() - beginning.len();
        beginning.extend(buf.filled().iter().skip(before).take(missing));
        drop(beginning);
        polled
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Takes every certificate; that the server has its key is checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
