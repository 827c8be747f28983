//! Settings of backends that tests play.

use guichet::legacy::kryonet::Settings;

/// Settings of the backend `default` at that port.
pub fn settings(port: u16, more: &str) -> Settings {
    let text = format!("host = '127.0.0.1'\ntcp_port = {port}\ntoken = 'SERVER_TOKEN'\n{more}\n");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}
