//! `guichet host`: the Docker hosts of a running service.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::api::{self, Api, Connection, Error, read, shown};
use super::table::table;
use crate::config::Config;

/// Pause between two looks at a host that is being emptied.
const LOOK: Duration = Duration::from_millis(500);

/// What to do with which host, of which service.
#[derive(Clone, Debug, Args)]
pub struct Command {
    #[command(flatten)]
    connection: Connection,
    /// Print what the service answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
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

/// What is shown of a host.
#[derive(Debug, Deserialize)]
struct Host {
    name: String,
    url: String,
    mode: String,
    drained: bool,
    state: String,
    slots: Slots,
    runtimes: Vec<Runtime>,
    submissions: Submissions,
    warnings: Vec<Warning>,
    last_error: Option<Fault>,
}

#[derive(Debug, Deserialize)]
struct Slots {
    total: u32,
    busy: u32,
}

#[derive(Debug, Deserialize)]
struct Runtime {
    id: String,
    image: String,
    progress: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Submissions {
    running: u32,
}

#[derive(Debug, Deserialize)]
struct Warning {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Fault {
    message: String,
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await.map(|()| 0))
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let api = Api::new(config, &command.connection)?;
    let answer = match &command.action {
        Action::List => {
            let list = api.get(&["v1", "hosts"]).await?;
            if !command.json {
                return show(&list, out);
            }
            list
        }
        Action::Add { name, engine, certs, slots, cordoned } => {
            let mode = if *cordoned { "cordoned" } else { "active" };
            let body = json!({ "name": name, "url": engine, "certs": certs, "slots": slots, "mode": mode });
            api.send(Method::POST, &["v1", "hosts"], &body).await?
        }
        Action::Cordon { name } => set_mode(&api, name, "cordoned").await?,
        Action::Activate { name } => set_mode(&api, name, "active").await?,
        Action::Drain { name, wait } => {
            let host = set_mode(&api, name, "draining").await?;
            if *wait { emptied(&api, name).await? } else { host }
        }
        Action::Remove { name, force } => {
            let options: &[_] = if *force { &[("force", "true")] } else { &[] };
            api.delete(&["v1", "hosts", name], options).await?;
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

async fn set_mode(api: &Api<'_>, name: &str, mode: &str) -> Result<Value, Error> {
    api.send(Method::PATCH, &["v1", "hosts", name], &json!({ "mode": mode })).await
}

/// Waits until nothing runs on the host any more.
async fn emptied(api: &Api<'_>, name: &str) -> Result<Value, Error> {
    loop {
        let answer = api.get(&["v1", "hosts", name]).await?;
        let host: Host = read(answer.clone())?;
        if host.mode == "active" {
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
        let fault = host.last_error.iter().filter(|_| host.state != "healthy").map(|fault| &fault.message);
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
    let mode = if host.drained { format!("{}, empty", host.mode) } else { host.mode.clone() };
    let images = host.runtimes.iter().map(|Runtime { id, image, progress }| match progress {
        Some(part) => format!("{id} {image} {:.0} %", part * 100.0),
        None => format!("{id} {image}"),
    });
    [
        host.name.clone(),
        mode,
        host.state.clone(),
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
    let takes = match mode.as_str() {
        "active" => "takes submissions",
        "cordoned" => "takes nothing new",
        _ => "takes nothing new and is being emptied",
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
