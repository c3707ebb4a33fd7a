//! The page of operations as they come, in a real browser, on a directory that publishes when the script asks for it.

use crate::browser::{PICTURES, SCRIPTS, browser};
use crate::world::{World, skip, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use tokio::sync::mpsc;

/// Does what a line of the script asks for.
async fn obey(world: &mut World, line: &str) {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["publish", n] => world.publish(n.parse().unwrap()).await,
        ["drop", id, n] => world.mirror(id).set(|b| b.drop_next = n.parse().unwrap()),
        ["settle"] => world.settle().await,
        _ => panic!("the script asks for {line:?}"),
    }
}

#[test]
fn the_page_shows_operations_as_they_come() {
    let chromium = match browser() {
        Ok(chromium) => chromium,
        Err(why) => return skip("browser", &why),
    };
    test(async move {
        let mirrors = vec![("faithful", Behaviour::default()), ("dropping", Behaviour::default())];
        let mut world = World::new(mirrors).watched().await;
        world.publish(2).await;
        let mut child = Command::new("node")
            .args([&format!("{SCRIPTS}/live.mjs"), &format!("{}/", world.base_url()), PICTURES])
            .env("CHROMIUM", chromium)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node runs");
        let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (told, mut lines) = mpsc::unbounded_channel();
        let reading = tokio::task::spawn_blocking(move || {
            output.lines().map_while(Result::ok).for_each(|line| drop(told.send(line)));
        });
        let mut said = String::new();
        while let Some(line) = lines.recv().await {
            said.push_str(&line);
            said.push('\n');
            if let Some(wish) = line.strip_prefix('#') {
                obey(&mut world, wish).await;
                writeln!(input, "done").unwrap();
            }
        }
        reading.await.unwrap();
        let status = child.wait().unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(status.success() && said.contains("live: all checks hold"), "{said}\n{errors}");
        world.stop().await;
    });
}
