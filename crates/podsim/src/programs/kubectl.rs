//! `kubectl` in the node shell.

use crate::commands::{apply, attach, create, delete, describe, exec, get, logs, version, wait};
use crate::context::{Context, GlobalArgs};
use crate::errors::Failure;
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use podsim_store::kinds;
use serde_json::{Map, Value, json};

/// kubectl controls the Kubernetes API of this node
#[derive(Parser, Debug)]
#[command(name = "kubectl", max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Kubectl {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Get(get::GetArgs),
    Describe(describe::DescribeArgs),
    Exec(exec::ExecArgs),
    Attach(attach::AttachArgs),
    #[command(alias = "log")]
    Logs(logs::LogsArgs),
    Delete(delete::DeleteArgs),
    Apply(apply::ApplyArgs),
    Create(create::CreateArgs),
    Run(RunArgs),
    Wait(wait::WaitArgs),
    Version(version::VersionArgs),
}

/// Create a Pod with one container
#[derive(Args, Debug)]
struct RunArgs {
    /// The Pod's name, and its container's
    name: String,
    /// The image
    #[arg(long)]
    image: String,
    /// Never, OnFailure or Always
    #[arg(long, default_value = "Always", value_name = "POLICY")]
    restart: String,
    /// Never, IfNotPresent or Always
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// Variables of the environment, as NAME=value
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Labels, as app=web,tier=front
    #[arg(short, long, value_name = "LABELS")]
    labels: Option<String>,
    /// A port that the container listens on
    #[arg(long)]
    port: Option<u16>,
    /// Keep the container's stdin open
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// What follows `--` is the command, not its arguments
    #[arg(long)]
    command: bool,
    /// `client`: only say what would be done
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "client")]
    dry_run: Option<String>,
    /// Arguments of the container; put `--` before them
    #[arg(trailing_var_arg = true, value_name = "ARG")]
    args: Vec<String>,
}

pub(crate) async fn run(context: &Context, line: &Kubectl) -> Result<i32> {
    match &line.command {
        Command::Get(args) => get::run(context, args).await,
        Command::Describe(args) => describe::run(context, args).await,
        Command::Exec(args) => exec::run(context, args).await,
        Command::Attach(args) => attach::run(context, args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::Apply(args) => apply::run(context, args).await,
        Command::Create(args) => create::run(context, args).await,
        Command::Run(args) => run_pod(context, args).await,
        Command::Wait(args) => wait::run(context, args).await,
        Command::Version(args) => version::run(context, args).await,
    }
}

async fn run_pod(context: &Context, args: &RunArgs) -> Result<i32> {
    let pod = pod(args)?;
    let dry_run = create::dry_run(args.dry_run.as_deref())?;
    if !dry_run {
        context.client()?.create(&kinds::POD, &context.namespace, &pod).await?;
    }
    let end = if dry_run { " (dry run)" } else { "" };
    context.printer.line(format!("pod/{} created{end}", args.name)).await?;
    Ok(0)
}

/// The Pod that `kubectl run` makes.
fn pod(args: &RunArgs) -> Result<Value> {
    let mut labels = Map::new();
    match &args.labels {
        None => _ = labels.insert("run".to_owned(), json!(args.name)),
        Some(text) => {
            for pair in text.split(',') {
                let wrong = || Failure::new(format!("error: the label {pair:?} is not of the form name=value"));
                let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
                labels.insert(key.to_owned(), json!(value));
            }
        }
    }
    let mut container = json!({"name": args.name, "image": args.image});
    let mut set = |key: &str, value: Value| _ = container.as_object_mut().map(|c| c.insert(key.to_owned(), value));
    if !args.args.is_empty() {
        set(if args.command { "command" } else { "args" }, json!(args.args));
    }
    if let Some(policy) = &args.image_pull_policy {
        set("imagePullPolicy", json!(policy));
    }
    let mut env = Vec::new();
    for pair in &args.env {
        let wrong = || Failure::new(format!("error: the variable {pair:?} is not of the form NAME=value"));
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        env.push(json!({"name": name, "value": value}));
    }
    if !env.is_empty() {
        set("env", json!(env));
    }
    if let Some(port) = args.port {
        set("ports", json!([{"containerPort": port}]));
    }
    if args.stdin {
        set("stdin", json!(true));
    }
    if args.tty {
        set("tty", json!(true));
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": args.name, "labels": labels},
        "spec": {"containers": [container], "restartPolicy": args.restart},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Kubectl, String> {
        Kubectl::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_commands_of_the_notes_are_understood() {
        for (line, pod, container, command, tty) in [
            (
                "kubectl exec my-first-test -c my-test-container1 -- cat /etc/hosts",
                "my-first-test",
                Some("my-test-container1"),
                "cat /etc/hosts",
                false,
            ),
            ("k exec -ti nginx -c shell sh", "nginx", Some("shell"), "sh", true),
            ("k exec -ti lifecycle-demo bash", "lifecycle-demo", None, "bash", true),
            ("kubectl exec -it p -- sh -c -n", "p", None, "sh -c -n", true),
            ("kubectl exec p ls -l", "p", None, "ls -l", false),
            ("kubectl -n x exec p -- ps", "p", None, "ps", false),
        ] {
            let Ok(Kubectl {
                command: Command::Exec(args),
                ..
            }) = parse(line)
            else {
                panic!("{line}")
            };
            assert_eq!(args.pod, pod, "{line}");
            assert_eq!(args.container.as_deref(), container, "{line}");
            assert_eq!(args.command.join(" "), command, "{line}");
            assert_eq!((args.tty, args.stdin), (tty, tty), "{line}");
        }
    }

    #[test]
    fn other_common_lines_are_understood() {
        for line in [
            "kubectl get pods -o wide -n kube-system",
            "kubectl get po -A -owide",
            "kubectl get pod/x -oyaml -w",
            "kubectl logs -f --tail=10 p -c a",
            "kubectl logs --tail 10 --since=1m p",
            "kubectl delete pod x --grace-period=0 --force",
            "kubectl delete pod x --now --wait=false",
            "kubectl delete -f pod.yaml",
            "kubectl apply -f -",
            "kubectl create -f a.yaml -f b.yaml",
            "kubectl wait --for=condition=Ready pod/x --timeout=60s",
            "kubectl run x --image=busybox --restart=Never -- sleep 1",
            "kubectl describe pod x",
            "kubectl attach -it x",
            "kubectl version",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
        let error = parse("kubectl get pods --frobnicate").unwrap_err();
        assert!(error.contains("unexpected argument '--frobnicate'"), "{error}");
        assert!(
            parse("kubectl frobnicate")
                .unwrap_err()
                .contains("unrecognized subcommand 'frobnicate'")
        );
    }

    #[test]
    fn kubectl_run_makes_the_pod_that_kubectl_makes() {
        let line = "kubectl run x --image=busybox --restart=Never --env=A=1 --command -- sleep 1";
        let Ok(Kubectl {
            command: Command::Run(args),
            ..
        }) = parse(line)
        else {
            panic!("{line}")
        };
        let expected = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"run": "x"}},
            "spec": {"restartPolicy": "Never", "containers": [
                {"name": "x", "image": "busybox", "command": ["sleep", "1"], "env": [{"name": "A", "value": "1"}]},
            ]},
        });
        assert_eq!(pod(&args).unwrap(), expected);
    }
}
