//! `guichet container`: the containers of a running service's Docker hosts.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use guichet_client::Client;
use guichet_client::types::{Container, ContainerTransport};
use serde_json::{Value, json};

use super::api::{self, Asked, Error, read, shown};
use super::table::table;
use crate::config::Config;

/// Characters of an id that are shown: as many as Docker's own client shows.
const SHOWN_ID: usize = 12;

/// What is asked of it.
pub type Command = Asked<Action>;

/// What to do with a container.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the containers and what they do
    List {
        /// Only those of this host
        #[arg(long)]
        host: Option<String>,
        /// Only those of this runtime
        #[arg(long)]
        runtime: Option<String>,
        /// Only those that do this: starting, warm, busy, emptying, removing
        #[arg(long)]
        state: Option<String>,
    },
    /// Kill a container, which is replaced; what ran in it is tried again
    Kill {
        /// Its id, or as much of its beginning as no other has
        id: String,
    },
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await.map(|()| 0))
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let client = api::client(config, &command.connection)?;
    match &command.action {
        Action::List { host, runtime, state } => {
            let filters = api::given(&[("host", host), ("runtime", runtime), ("state", state)]);
            let items = client.list(&["v1", "containers"], &filters, usize::MAX).await?;
            if command.json {
                writeln!(out, "{:#}", json!({ "items": items }))?;
            } else {
                show(items, out)?;
            }
        }
        Action::Kill { id } => {
            let id = whole_id(&client, id).await?;
            client.end_container(&id).await?;
            if !command.json {
                writeln!(out, "{} is killed, and replaced", shown(&id))?;
            }
        }
    }
    Ok(())
}

/// The id of the container whose id begins so.
async fn whole_id(client: &Client, beginning: &str) -> Result<String, Error> {
    let containers = client.containers(&[]).await?;
    let ids = containers.iter().map(|container| container.id.as_str());
    let found: Vec<&str> = ids.filter(|id| id.starts_with(beginning)).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Error::Unfit(format!("there is no container {beginning}"))),
        _several => {
            Err(Error::Unfit(format!("{} containers have ids that begin with {beginning}", found.len())))
        }
    }
}

fn show(items: Vec<Value>, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let containers: Vec<Container> = read(Value::Array(items))?;
    let rows: Vec<_> = containers.iter().map(row).collect();
    let headings = ["ID", "HOST", "RUNTIME", "SLOT", "STATE", "SUBMISSION", "SERVED", "TRANSPORT", "CREATED"];
    write!(out, "{}", table(headings, &rows))?;
    Ok(())
}

fn row(container: &Container) -> [String; 9] {
    [
        container.id.chars().take(SHOWN_ID).collect(),
        container.host.clone(),
        container.runtime.clone(),
        container.slot.to_string(),
        container.state.to_string(),
        or_dash(container.submission_id.as_deref()),
        container.submissions.to_string(),
        or_dash(container.transport.as_ref().map(ContainerTransport::as_str)),
        container.created_at.clone(),
    ]
    .map(|cell| shown(&cell))
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}
