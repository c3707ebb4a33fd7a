//! A world for tests: simulated servers on loopback, the whole program watching them, and its API to ask.
//!
//! Nothing here sleeps and hopes: what a test waits for is a condition of the API with a deadline, and what it fails with
//! is the API's last answer. The limits of judging are short; everything else is the program as it runs for people.

pub mod app;
pub mod counts;
pub mod files;
pub mod fleet;
pub mod kept;
pub mod process;
pub mod publisher;
pub mod script;
pub mod stalls;

use app::Running;
use counts::Counts;
use mirrorwatch::actors::message::RecheckError;
use mirrorwatch::config::{Config, Judging, SourceConfig};
use mirrorwatch::domain::confirm::SurveyReport;
use mirrorwatch::domain::did::Did;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::domain::view::Picture;
use mirrorwatch::ports::clock::{Clock, SystemClock};
use mirrorwatch::ports::fail_point::FailPoints;
use mirrorwatch::ports::notify::Supervisor;
use mirrorwatch::sim::behaviour::Behaviour;
use mirrorwatch::sim::op::OpMaker;
use mirrorwatch::sim::server::{Directory, NowMs};
use process::Process;
use publisher::{Publisher, Tally};
use serde_json::Value;
use stalls::Patience;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long any condition may take, without what the machine let nobody run. Two loaded cores need a fraction of it.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// Between two operations of [`World::publish`].
pub const PACE: Duration = Duration::from_millis(4);
/// On time up to here; tests delay by a good deal more or not at all.
pub const ON_TIME: Duration = Duration::from_secs(1);
/// Missed after this.
pub const GRACE: Duration = Duration::from_secs(2);

/// Servers, and the program that watches them.
pub struct World {
    /// The primary.
    pub primary: Directory,
    /// Mirrors with their ids.
    pub mirrors: Vec<(&'static str, Directory)>,
    /// What the program runs with.
    pub config: Config,
    /// Operations that the primary published while a mirror's window could be open.
    pub published: u64,
    maker: OpMaker,
    now_ms: NowMs,
    http: reqwest::Client,
    address: Option<SocketAddr>,
    app: Option<Running>,
    dir: TempDir,
}

/// Runs a test on a runtime of its own, apart from the program's threads.
pub fn test(work: impl Future<Output = ()>) {
    files::allow();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work);
    runtime.shutdown_background();
}

/// Says that a test cannot run here for lack of `what`, and why. Under CI that is a failure, but for what the CI script found
/// that the machine does not allow.
pub fn skip(what: &str, why: &str) {
    // The harness keeps what is printed to itself; this is to be read wherever tests run.
    let _ = writeln!(std::io::stderr(), "skipped: {what}: {why}");
    let allowed = std::env::var("MIRRORWATCH_MAY_SKIP").unwrap_or_default();
    let may_skip = std::env::var_os("CI").is_none() || allowed.split_whitespace().any(|allowed| allowed == what);
    assert!(may_skip, "this must run here: {what}: {why}");
}

/// Limits that let a test see every verdict within seconds.
fn judging() -> Judging {
    Judging {
        on_time: ON_TIME,
        grace: GRACE,
        look_back: Duration::ZERO,
        interval: Duration::from_secs(5),
        settle: Duration::ZERO,
        fill_settle: Duration::from_millis(500),
        ..Judging::for_testing()
    }
}

/// Whether a page of events tells of times in which the program, or the simulated primary, was stopped.
pub fn tells_of_freezing(events: &Value) -> bool {
    let voids = |e: &Value| e["kind"] == "reader_late" || e["kind"] == "primary_delayed";
    events["events"].as_array().unwrap().iter().any(voids)
}

impl World {
    /// Starts the servers, and not yet the program.
    pub fn new(mirrors: Vec<(&'static str, Behaviour)>) -> World {
        World::with_primary(Behaviour::default(), mirrors)
    }

    /// The same with a primary that has habits of its own.
    pub fn with_primary(primary: Behaviour, mirrors: Vec<(&'static str, Behaviour)>) -> World {
        let clock = SystemClock::new(0).unwrap();
        let now_ms: NowMs = Arc::new(move || clock.utc_ms());
        let spawn = |behaviour, seed| Directory::spawn(behaviour, seed, Arc::clone(&now_ms)).unwrap();
        let primary = spawn(primary, 1);
        let mirrors: Vec<_> = mirrors.into_iter().zip(2..).map(|((id, b), seed)| (id, spawn(b, seed))).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_testing(dir.path().join("data")).unwrap();
        config.judging = judging();
        config.limits.max_mirrors = 64;
        config.http.exempt_loopback = true;
        config.primary = SourceConfig::for_testing("primary", primary.address().port()).unwrap();
        let source = |(id, server): &(&str, Directory)| SourceConfig::for_testing(id, server.address().port()).unwrap();
        config.mirrors = mirrors.iter().map(source).collect();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        World {
            primary,
            mirrors,
            config,
            published: 0,
            maker: OpMaker::new(7),
            now_ms,
            http,
            address: None,
            app: None,
            dir,
        }
    }

    /// Starts the program and waits until every source's stream is open.
    pub async fn watched(mut self) -> World {
        self.start().await;
        self.synchronized().await;
        self
    }

    /// Starts the program.
    pub async fn start(&mut self) {
        let app = Running::start(self.config.clone()).await;
        self.address = Some(app.address);
        self.app = Some(app);
    }

    /// Starts the program with a supervisor that is told how it is.
    pub async fn start_supervised(&mut self, supervisor: Supervisor) {
        let app = Running::start_supervised(self.config.clone(), Some(supervisor)).await;
        self.address = Some(app.address);
        self.app = Some(app);
    }

    /// Starts the program as a process of its own, in place of this one's.
    pub async fn start_process(&mut self) -> Process {
        let process = Process::start(&process::write_config(self.dir.path(), &self.config)).await;
        self.address = Some(process.address);
        process
    }

    /// The program that is asked from now on.
    pub fn ask(&mut self, process: &Process) {
        self.address = Some(process.address);
    }

    /// The same with its log in a file; answers the configuration's file and the log's.
    pub async fn start_logging(&mut self) -> (Process, PathBuf, PathBuf) {
        let (file, log) = (process::write_config(self.dir.path(), &self.config), self.dir.path().join("log"));
        let process = Process::start_logging(&file, std::fs::File::create(&log).unwrap().into()).await;
        self.address = Some(process.address);
        (process, file, log)
    }

    /// Stops the program in order.
    pub async fn stop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop().await;
        }
    }

    /// Begins to stop the program in order; whoever waits for the answer has waited for its end.
    pub fn begin_to_stop(&mut self) -> JoinHandle<()> {
        let app = self.app.take().expect("nothing was started");
        tokio::spawn(app.stop())
    }

    /// Where the program's page is.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address.expect("nothing was started"))
    }

    /// A server by its mirror's id.
    pub fn mirror(&self, id: &str) -> &Directory {
        &self.mirrors.iter().find(|(name, _)| *name == id).unwrap().1
    }

    /// Publishes `n` operations of the usual mixture at the primary and every mirror.
    pub async fn publish(&mut self, n: u64) {
        self.publish_every(n, PACE, None).await;
    }

    /// The same for updates of DIDs that are there already.
    pub async fn publish_updates(&mut self, n: u64) {
        self.publish_every(n, PACE, Some(Kind::Update)).await;
    }

    /// The same at a pace, of one kind or of a mixture.
    pub async fn publish_every(&mut self, n: u64, pace: Duration, kind: Option<Kind>) {
        for _ in 0..n {
            let now = (self.now_ms)();
            let op = match kind {
                None => self.maker.next(now),
                Some(kind) => self.maker.of_kind(kind, now),
            };
            self.primary.publish(&op);
            for (_, server) in &self.mirrors {
                server.publish(&op);
            }
            if !pace.is_zero() {
                sleep(pace).await;
            }
        }
        self.published += n;
    }

    /// Lets operations go on at this pace until [`World::hush`].
    pub fn babble(&mut self, pace: Duration) -> Publisher {
        let maker = std::mem::replace(&mut self.maker, OpMaker::new(0));
        let mirrors = self.mirrors.iter().map(|(_, server)| server.clone()).collect();
        Publisher::start(self.primary.clone(), mirrors, maker, Arc::clone(&self.now_ms), pace)
    }

    /// Ends what [`World::babble`] began.
    pub async fn hush(&mut self, publisher: Publisher) -> Tally {
        let (maker, tally) = publisher.stop().await;
        self.maker = maker;
        self.published += tally.published;
        tally
    }

    /// The clock of the servers.
    pub fn now_ms(&self) -> NowMs {
        Arc::clone(&self.now_ms)
    }

    /// A directory of this test's own, where the data directory lies too.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Publishes slowly for longer than the grace, so that live streams prove what was before, and waits until nothing is
    /// pending at the mirrors that are up. Everything has to behave by now.
    pub async fn settle(&mut self) {
        self.settled_but(&[]).await;
    }

    /// The same but for the mirrors of these ids; how many operations were published in all.
    pub async fn settled_but(&mut self, others: &[&str]) -> u64 {
        let spans = (GRACE + Duration::from_millis(600)).as_millis() / 100;
        self.publish_every(spans as u64, Duration::from_millis(100), None).await;
        let published = self.published;
        self.until("every mirror has a verdict about everything", |overview| {
            let rows = overview["mirrors"].as_array()?;
            let is_settled = |row: &Value| {
                if others.iter().any(|id| row["id"] == *id) {
                    return true;
                }
                let c = Counts::of(row);
                let is_gone = row["link"]["state"] != "synchronized";
                c.pending + c.extra_pending == 0 && (is_gone || c.eligible + c.not_eligible >= published)
            };
            (overview["primary"]["received_ops"].as_u64()? >= published && rows.iter().all(is_settled)).then_some(())
        })
        .await;
        published
    }

    /// Waits until every source's stream is open with nothing missing before it.
    pub async fn synchronized(&self) {
        self.until("every link is synchronized", |overview| {
            let mirrors = overview["mirrors"].as_array()?;
            let is_up = |row: &Value| row["link"]["state"] == "synchronized";
            (is_up(&overview["primary"]) && mirrors.iter().all(is_up)).then_some(())
        })
        .await;
    }

    /// How often the primary's link was connected anew.
    pub async fn reconnects(&self) -> u64 {
        self.get("/api/v1/overview").await["primary"]["link"]["reconnects"].as_u64().unwrap()
    }

    /// Waits until the primary is observed again after a loss that the page may not show yet; `before` is the
    /// [`World::reconnects`] from before the loss.
    pub async fn regained(&self, what: &str, before: u64) {
        self.until(&format!("{what}: the primary is observed again"), |o| {
            let link = &o["primary"]["link"];
            (link["reconnects"].as_u64()? > before && link["state"] == "synchronized").then_some(())
        })
        .await;
    }

    /// Waits until `found` finds what it looks for, wherever it looks.
    pub async fn eventually<T>(&self, what: &str, found: impl AsyncFn() -> Option<T>) -> T {
        let patience = Patience::of(PATIENCE);
        loop {
            if let Some(found) = found().await {
                return found;
            }
            if patience.is_over() {
                self.waited_in_vain(what).await;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The same for what is unknown, as it must be, when the machine froze the program meanwhile: none then.
    pub async fn unless_frozen<T>(&self, what: &str, found: impl AsyncFn() -> Option<T>) -> Option<T> {
        let patience = Patience::of(PATIENCE);
        loop {
            if let Some(found) = found().await {
                return Some(found);
            }
            if patience.is_over() {
                if !self.was_frozen().await {
                    self.waited_in_vain(what).await;
                }
                return None;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Fails with everything that the program tells of itself.
    async fn waited_in_vain(&self, what: &str) -> ! {
        let overview = self.get("/api/v1/overview").await;
        panic!("{what}: not within {PATIENCE:?}; {}", self.told(&overview).await);
    }

    /// Waits until `found` finds in the overview what it looks for.
    pub async fn until<T>(&self, what: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let patience = Patience::of(PATIENCE);
        loop {
            let overview = self.get("/api/v1/overview").await;
            if let Some(found) = found(&overview) {
                return found;
            }
            assert!(!patience.is_over(), "{what}: not within {PATIENCE:?}; {}", self.told(&overview).await);
            sleep(LOOK_EVERY).await;
        }
    }

    /// The `data` of an API page.
    pub async fn get(&self, path: &str) -> Value {
        self.get_bare(path).await["data"].take()
    }

    /// The status that a page answers with.
    pub async fn status(&self, path: &str) -> u16 {
        self.http.get(format!("{}{path}", self.base_url())).send().await.unwrap().status().as_u16()
    }

    /// The status that a request to do something answers with.
    pub async fn post(&self, path: &str) -> u16 {
        self.http.post(format!("{}{path}", self.base_url())).send().await.unwrap().status().as_u16()
    }

    /// The status and the body that a page answers with.
    pub async fn answer(&self, path: &str) -> (u16, Value) {
        let answer = self.http.get(format!("{}{path}", self.base_url())).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// A page that is no JSON.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.base_url())).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// A program that was started otherwise is here.
    pub fn at(&mut self, address: SocketAddr) {
        self.address = Some(address);
    }

    /// Where the program can be made to fail.
    pub fn fail(&self) -> FailPoints {
        self.app.as_ref().expect("nothing was started").fail.clone()
    }

    /// A page as it is.
    pub async fn get_bare(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.base_url())).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// One mirror's row of the overview.
    pub async fn row(&self, id: &str) -> Value {
        let overview = self.get("/api/v1/overview").await;
        overview["mirrors"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone()
    }

    /// What the program knows, as its pages are made of it.
    pub async fn picture(&self) -> Arc<Picture> {
        let pictures = &self.app.as_ref().expect("nothing was started").pictures;
        pictures.capture().await.unwrap().capture
    }

    /// Has every host asked about a DID.
    pub async fn recheck(&self, did: Did) -> Result<Arc<SurveyReport>, RecheckError> {
        self.app.as_ref().expect("nothing was started").auditing.recheck(did).await
    }

    /// One mirror's counts.
    pub async fn counts(&self, id: &str) -> Counts {
        Counts::of(&self.row(id).await)
    }

    /// Waits until a mirror's counts are these; the machine's own freezes are allowed for.
    pub async fn expect(&self, id: &str, expected: Counts) {
        self.expect_for(id, expected, PATIENCE / 8).await;
    }

    /// The same where a silent stream has to be proved first, which takes a ping and a look two seconds after it.
    pub async fn expect_within(&self, id: &str, expected: Counts) {
        self.expect_for(id, expected, PATIENCE).await;
    }

    async fn expect_for(&self, id: &str, expected: Counts, patience: Duration) {
        let frozen = self.was_frozen().await;
        let patience = Patience::of(patience);
        loop {
            let counts = self.counts(id).await;
            assert_eq!(counts.eligible, counts.states(), "{id}: eligible is not the sum of its states: {counts:?}");
            if counts.matches(&expected, frozen) {
                return;
            }
            if patience.is_over() {
                let overview = self.get("/api/v1/overview").await;
                let ops = self.get(&format!("/api/v1/mirrors/{id}/ops?limit=20")).await;
                panic!("{id}:\n got {counts:?}\nwant {expected:?}\n{}\n{ops}", self.told(&overview).await);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the machine stopped the program, or the simulated primary, for so long that the program said so: timing is
    /// then not known.
    pub async fn was_frozen(&self) -> bool {
        tells_of_freezing(&self.get("/api/v1/events").await)
    }

    /// Events of one kind, newest first.
    pub async fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.get("/api/v1/events").await;
        events["events"].as_array().unwrap().iter().filter(|e| e["kind"] == kind).cloned().collect()
    }

    async fn told(&self, overview: &Value) -> String {
        let events = self.get("/api/v1/events").await;
        let lines = events["events"].as_array().unwrap().iter().take(40).rev();
        let lines: Vec<String> =
            lines.map(|e| format!("{} {} {} {}", e["at"], e["kind"], e["source"], e["text"])).collect();
        let row = |row: &Value| {
            let (link, counts) = (&row["link"], &row["coverage"]["counts"]);
            format!(
                "{} received {} refused {} altered {} duplicates {}\n  {counts}\n  {link}",
                row["id"], row["received_ops"], row["rejected_frames"], row["altered_ops"], row["duplicate_ops"]
            )
        };
        let mirrors = overview["mirrors"].as_array().unwrap().iter();
        let rows: Vec<String> = std::iter::once(&overview["primary"]).chain(mirrors).map(row).collect();
        format!(
            "published {}; {} {}\n{}\n{}",
            self.published,
            overview["headline"],
            overview["observer"],
            rows.join("\n"),
            lines.join("\n")
        )
    }
}
