//! Clients: TLS over loopback with HTTP/1.1 written by hand, and an HTTP/2 client.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube_iam::server::authority::Pair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::site::{DEADLINE, Site};

/// A connection on which HTTP/1.1 is written by hand.
pub struct Client {
    stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

pub fn tls_config(site: &Site, pair: Option<&Pair>, alpn: &[&str]) -> ClientConfig {
    let authority = CertificateDer::from_pem_slice(site.file("tls/ca.crt").as_bytes()).unwrap();
    tls_config_trusting(&[authority], pair, alpn)
}

pub fn tls_config_trusting(trusted: &[CertificateDer<'static>], pair: Option<&Pair>, alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|authority| roots.add(authority.clone()).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match pair {
        None => config.with_no_client_auth(),
        Some(pair) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub async fn connect_tls(site: &Site, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(site.address).await?;
    let name = site.address.ip().into();
    timeout(DEADLINE, TlsConnector::from(Arc::new(config)).connect(name, tcp)).await?
}

impl Client {
    pub async fn connect(site: &Site) -> Self {
        Self::with(site, Some(&site.client_pair())).await.unwrap()
    }

    pub async fn with(site: &Site, pair: Option<&Pair>) -> io::Result<Self> {
        Self::with_config(site, tls_config(site, pair, &["http/1.1"])).await
    }

    pub async fn with_config(site: &Site, config: ClientConfig) -> io::Result<Self> {
        let stream = connect_tls(site, config).await?;
        Ok(Self { stream, read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        timeout(DEADLINE, async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        })
        .await?
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Answer {
        self.send(post(path, body)).await.unwrap();
        self.answer().await.unwrap()
    }

    /// Reads one answer and checks what holds for every one.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let answer = timeout(DEADLINE, self.read_answer()).await??;
        assert!([200, 400, 403, 413, 503].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.headers.get("retry-after"), None, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
        Ok(answer)
    }

    async fn read_answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        self.read.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers["content-length"].parse().unwrap();
        while self.read.len() < length {
            self.more().await?;
        }
        let body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        Ok(Answer { status, headers, body })
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads the interim answer to `Expect: 100-continue`.
    pub async fn continued(&mut self) {
        const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        while self.read.len() < INTERIM.len() {
            timeout(DEADLINE, self.more()).await.unwrap().unwrap();
        }
        assert_eq!(self.read.drain(..INTERIM.len()).collect::<Vec<u8>>(), INTERIM);
    }

    /// Waits until the other side ends the connection without another answer.
    pub async fn ended(&mut self) {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.read)).await.expect("still open");
        assert!(matches!(read, Ok(0) | Err(_)), "{:?}", String::from_utf8_lossy(&self.read));
    }
}

pub fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An HTTP/2 connection.
pub type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

pub async fn http2(site: &Site) -> Http2 {
    let stream = connect_tls(site, tls_config(site, Some(&site.client_pair()), &["h2"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = timeout(DEADLINE, handshake).await.unwrap().unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn http2_post(http2: &Http2, path: &str, body: impl Into<Bytes>) -> Result<Answer, hyper::Error> {
    let request = hyper::Request::post(format!("https://x{path}"))
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap();
    let response = timeout(DEADLINE, http2.clone().send_request(request)).await.expect("no answer")?;
    let status = response.status().as_u16();
    let headers: HashMap<String, String> =
        response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    assert!(!headers.contains_key("retry-after"), "{headers:?}");
    let body = timeout(DEADLINE, response.into_body().collect()).await.expect("no body")?.to_bytes();
    Ok(Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() })
}
