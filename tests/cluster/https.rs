//! HTTPS/1.1 as a program speaks it: to the webhook as an API server does, and to the API server faster than kubectl.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::control_plane::http::Answer;
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::kube_iam::KubeIam;

const DEADLINE: Duration = Duration::from_secs(30);

/// Somebody who asks one server.
#[derive(Clone)]
pub struct Client {
    address: String,
    config: Arc<ClientConfig>,
}

/// A connection that stays open from request to request.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    read: Vec<u8>,
}

/// A certificate and its key, PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

#[derive(Clone, Copy)]
enum Proof {
    Certificate,
    None,
}

/// What the webhook says of a SubjectAccessReview.
#[derive(Debug)]
pub struct Verdict {
    pub allowed: bool,
    pub denied: bool,
    pub reason: String,
}

// === impl Client ===

impl Client {
    /// The client that an API server with the generated kubeconfig is.
    pub fn of_webhook(kube_iam: &KubeIam) -> Self {
        let tls = kube_iam.state_dir().join("tls");
        let pair = Pair { certificate: text(&tls.join("client.crt")), key: text(&tls.join("client.key")) };
        Self::of_webhook_with(kube_iam, Some(&pair))
    }

    /// A client that proves itself to the webhook with something else, or not at all.
    pub fn of_webhook_with(kube_iam: &KubeIam, pair: Option<&Pair>) -> Self {
        let ca = text(&kube_iam.state_dir().join("tls").join("ca.crt"));
        Self::new(&kube_iam.ready().authorize_url, &ca, pair)
    }

    /// A person with a client certificate, on their API server.
    pub fn of(who: &Kubeconfig) -> Self {
        Self::of_api_server(who, Proof::Certificate)
    }

    /// Somebody who does not say who they are, on the API server of this person.
    pub fn anonymous(who: &Kubeconfig) -> Self {
        Self::of_api_server(who, Proof::None)
    }

    fn of_api_server(who: &Kubeconfig, proof: Proof) -> Self {
        let config: Value = serde_json::from_str(&text(who.path())).unwrap();
        let cluster = &config["clusters"][0]["cluster"];
        let user = &config["users"][0]["user"];
        let file = |value: &Value| text(&PathBuf::from(value.as_str().unwrap()));
        let pair = match proof {
            Proof::Certificate => {
                Some(Pair { certificate: file(&user["client-certificate"]), key: file(&user["client-key"]) })
            }
            Proof::None => None,
        };
        let ca = file(&cluster["certificate-authority"]);
        Self::new(cluster["server"].as_str().unwrap(), &ca, pair.as_ref())
    }

    /// Somebody who trusts these authorities, PEM, and proves itself by that pair.
    pub fn new(url: &str, ca: &str, pair: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        let config = match pair {
            None => config.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let address = url.split_once("://").unwrap().1.split('/').next().unwrap().to_owned();
        Self { address, config: Arc::new(config) }
    }

    /// # Errors
    /// When the server is not there.
    pub fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(&self.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(DEADLINE))?;
        tcp.set_write_timeout(Some(DEADLINE))?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(Connection { stream: StreamOwned::new(connection, tcp), read: Vec::new() })
    }

    /// One GET on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        self.connect()?.request("GET", path, b"")
    }

    /// One POST on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post(&self, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.connect()?.request("POST", path, body)
    }

    /// Asks the webhook about a SubjectAccessReview with this spec, which must be answered.
    pub fn review(&self, spec: &Value) -> Verdict {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        let answer = self.post("/authorize", review.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answered: Value = serde_json::from_str(&answer.body).unwrap();
        let status = &answered["status"];
        Verdict {
            allowed: status["allowed"] == true,
            denied: status["denied"] == true,
            reason: status["reason"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

// === impl Connection ===

impl Connection {
    /// # Errors
    /// When there is no whole answer. A server may answer before it has read the body, and close.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.request_as(method, path, "application/json", body)
    }

    /// [`Self::request`] with a body of another type.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn request_as(&mut self, method: &str, path: &str, media_type: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let sent = self.stream.write_all(head.as_bytes()).and_then(|()| self.stream.write_all(body));
        let sent = sent.and_then(|()| self.stream.flush());
        match (self.answer(), sent) {
            (Ok(answer), _) => Ok(answer),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    /// Sends a part of a request.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads an answer, `100 Continue` too.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn answer(&mut self) -> io::Result<Answer> {
        let head = String::from_utf8_lossy(&self.until(b"\r\n\r\n")?).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(odd)?;
        let field = |name: &str| {
            head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let body = match field("content-length") {
            Some((_, length)) => self.exactly(length.trim().parse().map_err(|_| odd())?)?,
            None if field("transfer-encoding").is_some() => self.chunks()?,
            None => Vec::new(),
        };
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.until(b"\r\n")?;
            let size = usize::from_str_radix(String::from_utf8_lossy(&size).trim(), 16).map_err(|_| odd())?;
            body.extend(self.exactly(size)?);
            self.until(b"\r\n")?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                let rest = self.read.split_off(at + end.len());
                return Ok(std::mem::replace(&mut self.read, rest));
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.read.extend_from_slice(&buffer[..length]);
                Ok(())
            }
        }
    }
}

fn odd() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()))
}
