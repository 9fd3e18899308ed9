//! A real OpenID Connect provider on loopback: Glewlwyd, as Debian has it, with a database of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::gateway::exchange;
use super::{Answer, request};

/// The tables that it begins with.
const TABLES: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// What its administrator has after these; it is reached on loopback only and lives for one test.
const ADMINISTRATOR: (&str, &str) = ("admin", "password");

/// How long a test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client that asks for tokens for itself.
pub(crate) const CLIENT: &str = "CANARY-client";
const SECRET: &str = "CANARY-client-secret";

/// A running provider; killed when dropped.
pub(crate) struct Provider {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    cookie: String,
}

impl Provider {
    /// Starts it with one key, one scope for each of `scopes`, and the client, which may have all of them.
    pub(crate) fn start(folder: &Path, scopes: &[&str]) -> Self {
        let folder = folder.join("provider");
        std::fs::create_dir_all(&folder).unwrap();
        let tables = std::fs::read_to_string(TABLES)
            .unwrap_or_else(|error| panic!("{TABLES}: {error}. `make tools` installs it."));
        let database = rusqlite::Connection::open(folder.join("provider.db")).unwrap();
        database.execute_batch(&tables).unwrap();
        drop(database);
        let (child, address) = launch(&folder);
        let mut started = Self { child, address, folder, cookie: String::new() };
        let (name, password) = ADMINISTRATOR;
        let answer =
            started.send("POST", "/auth/", &json!({"username": name, "password": password}));
        let cookie = answer.headers.get("set-cookie").expect("a session");
        cookie.split(';').next().unwrap().clone_into(&mut started.cookie);
        let plugin = started.plugin();
        started.send("POST", "/mod/plugin/", &plugin);
        for scope in scopes {
            let scope = json!({"name": scope, "display_name": scope, "description": scope,
                               "password_required": false, "scheme": {}});
            started.send("POST", "/scope/", &scope);
        }
        let client = json!({"client_id": CLIENT, "name": "dashboard", "password": SECRET, "confidential": true,
            "enabled": true, "redirect_uri": ["http://127.0.0.1:1/"], "scope": scopes,
            "authorization_type": ["client_credentials"], "token_endpoint_auth_method": ["client_secret_basic"]});
        started.send("POST", "/client/?source=database", &client);
        started
    }

    /// What its tokens say of who issued them.
    pub(crate) fn issuer(&self) -> String {
        format!("http://{}/api/oidc", self.address)
    }

    /// A token for one of the scopes.
    pub(crate) fn token(&self, scope: &str) -> String {
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        let form = "application/x-www-form-urlencoded";
        let headers = [("Authorization", basic.as_str()), ("Content-Type", form)];
        let body = format!("grant_type=client_credentials&scope={scope}");
        let answer = exchange(self.address, "POST", "/api/oidc/token", &headers, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Signs with another key from now on; the one before is no more.
    pub(crate) fn change_key(&self) {
        self.send("PUT", "/mod/plugin/oidc", &self.plugin());
        self.send("PUT", "/mod/plugin/oidc/reset", &json!({}));
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn plugin(&self) -> Value {
        let (private, public) = rsa(&self.folder);
        json!({"module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": true, "parameters": {
            "iss": self.issuer(), "jwt-type": "rsa", "jwt-key-size": "256", "key": private, "cert": public,
            "default-kid": "", "jwks-show": true, "access-token-duration": 600, "refresh-token-duration": 600,
            "code-duration": 600, "refresh-token-rolling": true, "allow-non-oidc": true, "subject-type": "public",
            "auth-type-code-enabled": false, "auth-type-token-enabled": false, "auth-type-id-token-enabled": false,
            "auth-type-none-enabled": false, "auth-type-password-enabled": false, "auth-type-client-enabled": true,
            "auth-type-refresh-enabled": false, "scope": [], "additional-parameters": [], "claims": [],
            "service-documentation": "", "op-policy-uri": "", "op-tos-uri": ""}})
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("Cookie", self.cookie.as_str())];
        let path = format!("/api{path}");
        let answer = exchange(self.address, method, &path, &headers, &body.to_string());
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// It cannot be told to take any free port, so it is given one that was free a moment ago, and another
/// one if somebody was quicker.
fn launch(folder: &Path) -> (Child, SocketAddr) {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let file = folder.join("provider.conf");
        std::fs::write(&file, written(folder, address)).unwrap();
        let mut child = Command::new("glewlwyd")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("glewlwyd: {error}. `make tools` installs it."));
        let began = Instant::now();
        while began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(address).is_ok()
                && request(address, "GET", "/config/", &[]).status == 200
            {
                return (child, address);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let _ = child.kill();
    }
    panic!("the provider did not start");
}

fn written(folder: &Path, address: SocketAddr) -> String {
    let (folder, port) = (folder.display(), address.port());
    format!(
        "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"http://{address}\"\n\
         api_prefix=\"api\"\nlogin_url=\"login.html\"\nlog_mode=\"console\"\nlog_level=\"ERROR\"\n\
         user_module_path=\"/usr/lib/glewlwyd/user\"\nclient_module_path=\"/usr/lib/glewlwyd/client\"\n\
         user_auth_scheme_module_path=\"/usr/lib/glewlwyd/scheme\"\n\
         plugin_module_path=\"/usr/lib/glewlwyd/plugin\"\nhash_algorithm=\"SHA256\"\n\
         use_secure_connection=0\nadmin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\n\
         database = {{ type=\"sqlite3\"; path=\"{folder}/provider.db\"; }};\n"
    )
}

/// A new RSA key: its private and its public half, as PEM.
fn rsa(folder: &Path) -> (String, String) {
    let file = folder.join("key.pem");
    let name = file.to_str().unwrap();
    let run = |words: &[&str]| {
        let done = Command::new("openssl").args(words).output();
        let done =
            done.unwrap_or_else(|error| panic!("openssl: {error}. `make tools` installs it."));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    run(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", name]);
    let public = run(&["pkey", "-in", name, "-pubout"]);
    (std::fs::read_to_string(&file).unwrap(), public)
}
