//! Spawns empty tasks by the batch and joins all of a batch; prints one line of JSON, as bench_executor does.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

struct Plan {
    batch: usize,
    seconds: f64,
    warmup: f64,
    multi_thread: bool,
}

fn plan() -> Result<Plan, String> {
    let mut plan = Plan { batch: 1000, seconds: 1.0, warmup: 0.2, multi_thread: false };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument}: use --name=value"))?;
        let bad = |_| format!("{name} cannot be {value}");
        match name {
            "--batch" => plan.batch = value.parse().map_err(|_| format!("{name} cannot be {value}"))?,
            "--seconds" => plan.seconds = value.parse().map_err(bad)?,
            "--warmup" => plan.warmup = value.parse().map_err(bad)?,
            "--runtime" if value == "multi_thread" => plan.multi_thread = true,
            "--runtime" if value == "current_thread" => plan.multi_thread = false,
            _ => return Err(format!("{argument}: there is --batch --seconds --warmup --runtime=current_thread|multi_thread")),
        }
    }
    Ok(plan)
}

async fn spawn_batch(handles: &mut Vec<JoinHandle<()>>, batch: usize) {
    for _ in 0..batch {
        handles.push(tokio::spawn(async {}));
    }
    for handle in handles.drain(..) {
        handle.await.expect("an empty task does not fail");
    }
}

/// Operations and seconds.
async fn spawn_for(seconds: f64, batch: usize) -> (usize, f64) {
    let mut handles = Vec::with_capacity(batch);
    let mut done = 0;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs_f64(seconds) {
        spawn_batch(&mut handles, batch).await;
        done += batch;
    }
    (done, begin.elapsed().as_secs_f64())
}

fn runtime(plan: &Plan) -> std::io::Result<Runtime> {
    if plan.multi_thread { Builder::new_multi_thread().build() } else { Builder::new_current_thread().build() }
}

fn main() {
    let plan = plan().unwrap_or_else(|why| {
        eprintln!("spawn_tokio: {why}");
        std::process::exit(2);
    });
    let runtime = runtime(&plan).expect("a runtime");
    let (warmup, seconds, batch) = (plan.warmup, plan.seconds, plan.batch);
    // As a task, so that with several threads it spawns from a worker, onto that worker's own queue.
    let measured = runtime.spawn(async move { (spawn_for(warmup, batch).await, spawn_for(seconds, batch).await) });
    let ((before, _), (operations, took)) = runtime.block_on(measured).expect("the measurement does not fail");
    println!(
        "{{\"operations_total\": {}, \"operations\": {}, \"seconds\": {:.4}, \"rate\": {:.1}}}",
        before + operations,
        operations,
        took,
        operations as f64 / took
    );
}
