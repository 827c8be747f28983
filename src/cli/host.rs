//! `guichet host`: the Docker hosts of a running service.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use guichet_client::Client;
use guichet_client::types::{Host, HostMode, HostRequest, HostRuntime, HostState};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::api::{self, Asked, Error, read, shown};
use super::table::table;
use crate::config::Config;

/// Pause between two looks at a host that is being emptied.
const LOOK: Duration = Duration::from_millis(500);

/// What is asked of it.
pub type Command = Asked<Action>;

/// What to do with a host.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the hosts
    List,
    /// Add a host; it is connected to in the background
    Add {
        /// Its name: 1 to 63 characters of a-z 0-9 -, the first no hyphen
        name: String,
        /// Where its engine is: a URL that begins with `unix://` or `tcp://`
        // `--url` is the service's.
        #[arg(value_name = "URL")]
        engine: String,
        /// Folder of its certificates, below `docker.certs_dir`
        #[arg(long)]
        certs: Option<String>,
        /// Its slots; without it, as execution.slots says
        #[arg(long)]
        slots: Option<u32>,
        /// Let it take nothing until it is activated
        #[arg(long)]
        cordoned: bool,
    },
    /// Let a host take nothing new
    Cordon {
        /// Its name
        name: String,
    },
    /// Let a host take nothing new, since it is to be emptied
    Drain {
        /// Its name
        name: String,
        /// Wait until nothing runs there any more
        #[arg(long)]
        wait: bool,
    },
    /// Let a host take submissions again, and try one at once that is out of reach
    Activate {
        /// Its name
        name: String,
    },
    /// Remove a host that was added
    Remove {
        /// Its name
        name: String,
        /// Even if something runs there: that is queued again at its old place
        #[arg(long)]
        force: bool,
    },
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await.map(|()| 0))
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let client = api::client(config, &command.connection)?;
    let answer = match &command.action {
        Action::List => {
            let list = client.get(&["v1", "hosts"]).await?;
            if !command.json {
                return show(&list, out);
            }
            list
        }
        Action::Add { name, engine, certs, slots, cordoned } => {
            let host = HostRequest {
                name: name.clone(),
                url: engine.clone(),
                certs: certs.clone(),
                slots: *slots,
                mode: Some(if *cordoned { HostMode::Cordoned } else { HostMode::Active }),
            };
            client.send(Method::POST, &["v1", "hosts"], &host).await?
        }
        Action::Cordon { name } => set_mode(&client, name, "cordoned").await?,
        Action::Activate { name } => set_mode(&client, name, "active").await?,
        Action::Drain { name, wait } => {
            let host = set_mode(&client, name, "draining").await?;
            if *wait { emptied(&client, name).await? } else { host }
        }
        Action::Remove { name, force } => {
            client.remove_host(name, *force).await?;
            if !command.json {
                writeln!(out, "{} is removed", shown(name))?;
            }
            return Ok(());
        }
    };
    if command.json {
        writeln!(out, "{answer:#}")?;
    } else {
        writeln!(out, "{}", in_words(&read(answer)?))?;
    }
    Ok(())
}

async fn set_mode(client: &Client, name: &str, mode: &str) -> Result<Value, Error> {
    Ok(client.send(Method::PATCH, &["v1", "hosts", name], &json!({ "mode": mode })).await?)
}

/// Waits until nothing runs on the host any more.
async fn emptied(client: &Client, name: &str) -> Result<Value, Error> {
    loop {
        let answer: Value = client.get(&["v1", "hosts", name]).await?;
        let host: Host = read(answer.clone())?;
        if host.mode == HostMode::Active {
            return Err(Error::Unfit(format!(
                "{name} takes submissions again: its mode was changed meanwhile"
            )));
        }
        if host.drained {
            return Ok(answer);
        }
        sleep(LOOK).await;
    }
}

fn show(list: &Value, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let hosts: Vec<Host> = read(list.get("items").cloned().unwrap_or_default())?;
    let rows: Vec<_> = hosts.iter().map(row).collect();
    let headings = ["NAME", "MODE", "STATE", "BUSY", "SLOTS", "RUNNING", "IMAGES", "URL"];
    write!(out, "{}", table(headings, &rows))?;
    for (message, names) in remarks(&hosts) {
        writeln!(out, "{}: {}", shown(&names.join(", ")), shown(message))?;
    }
    Ok(())
}

/// What should be looked at, each once, with the names of the hosts.
fn remarks(hosts: &[Host]) -> Vec<(&str, Vec<&str>)> {
    let mut remarks: Vec<(&str, Vec<&str>)> = Vec::new();
    for host in hosts {
        let fault =
            host.last_error.iter().filter(|_| host.state != HostState::Healthy).map(|fault| &fault.message);
        for message in fault.chain(host.warnings.iter().map(|warning| &warning.message)) {
            match remarks.iter_mut().find(|(known, _)| known == message) {
                Some((_, names)) => names.push(&host.name),
                None => remarks.push((message, vec![&host.name])),
            }
        }
    }
    remarks
}

fn row(host: &Host) -> [String; 8] {
    let mode = if host.drained { format!("{}, empty", host.mode) } else { host.mode.to_string() };
    let images = host.runtimes.iter().map(|HostRuntime { id, image, progress, .. }| match progress {
        Some(part) => format!("{id} {image} {:.0} %", part * 100.0),
        None => format!("{id} {image}"),
    });
    [
        host.name.clone(),
        mode,
        host.state.to_string(),
        host.slots.busy.to_string(),
        host.slots.total.to_string(),
        host.submissions.running.to_string(),
        images.collect::<Vec<_>>().join(", "),
        host.url.clone(),
    ]
    .map(|cell| shown(&cell))
}

/// What became of a host, in a sentence.
fn in_words(host: &Host) -> String {
    let Host { name, mode, state, drained, submissions, .. } = host;
    let takes = match mode {
        HostMode::Active => "takes submissions",
        HostMode::Draining => "takes nothing new and is being emptied",
        HostMode::Cordoned | HostMode::Other(_) => "takes nothing new",
    };
    let runs = match submissions.running {
        _ if *drained => ", nothing runs there".to_owned(),
        0 => String::new(),
        1 => ", 1 submission runs there".to_owned(),
        some => format!(", {some} submissions run there"),
    };
    shown(&format!("{name} ({state}) {takes}{runs}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Action, Command};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        command: Command,
    }

    #[test]
    fn the_url_of_an_engine_is_not_that_of_the_service() {
        let words = ["host", "add", "judge-2", "unix:///a", "--url", "http://localhost:1"];

        let Cli { command } = Cli::try_parse_from(words).unwrap();

        assert!(
            matches!(&command.action, Action::Add { engine, .. } if engine == "unix:///a"),
            "{command:?}"
        );
        assert!(format!("{:?}", command.connection).contains("localhost"), "{command:?}");
    }
}
