//! Which mirror to use, and why: as a page, and as a list of addresses.

use super::{Picture, put};
use crate::domain::lag::ms;
use crate::domain::probes::{Figures, Purpose};
use crate::domain::recommend::{BETTER_TENTHS, BETTER_WAIT_NS, Because, Nobody, Recommendation, Record, Said};
use crate::domain::text::one_line;
use crate::domain::time::{MS, SECOND, Tau, rfc3339_ms};
use crate::domain::vantage::region::Region;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Longest line of the list, in characters.
const LINE_CHARS_MAX: usize = 500;
/// The list says when it was made in steps of this, milliseconds, so that it stays the same while nothing changes.
const MADE_STEP_MS: i64 = 60_000;

/// Who a mirror is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Identity<'a> {
    id: &'a str,
    name: &'a str,
    url: &'a str,
}

/// For whom a mirror is recommended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Asked<'a> {
    purpose: Purpose,
    /// In which region; none for wherever this observer is.
    region: Option<&'a str>,
    /// The vantages of the region that can be believed now.
    vantages: &'a [&'a str],
}

/// Whether this mirror is the one that is recommended to those who read the stream.
#[must_use]
pub fn is_recommended(picture: &Picture, mirror: usize) -> bool {
    picture.recommended.stream.chosen.as_ref().is_some_and(|chosen| chosen.mirror == mirror)
}

fn identity(picture: &Picture, mirror: usize) -> Option<Identity<'_>> {
    picture.mirrors.get(mirror).map(|info| Identity { id: &info.id, name: &info.name, url: &info.url })
}

/// The page for a purpose, of this observer alone.
#[must_use]
pub fn page(picture: &Picture, purpose: Purpose) -> Value {
    let asked = Asked { purpose, region: None, vantages: &[] };
    told(asked, picture.recommended.of(purpose), |m| identity(picture, *m), |at| picture.at(at))
}

/// The page of a recommendation, whose mirrors are called so, and whose instants are labelled so.
fn told<'a, K: PartialEq>(
    asked: Asked<'_>,
    r: &Recommendation<K>,
    identity: impl Fn(&K) -> Option<Identity<'a>>,
    at: impl Fn(Tau) -> String,
) -> Value {
    let chosen = r.chosen.as_ref().and_then(|chosen| Some((chosen, r.of(&chosen.mirror)?, identity(&chosen.mirror)?)));
    let said = chosen.map(|(_, said, _)| said);
    let name = |mirror: &K| identity(mirror).map_or("one that is gone", |identity| identity.name);
    let reason = why_nobody(asked, r.nobody).name();
    let mut map = Map::new();
    map.insert("purpose".into(), asked.purpose.name().into());
    map.insert("region".into(), asked.region.into());
    map.insert("vantages".into(), asked.vantages.into());
    put(&mut map, "mirror", chosen.map(|(.., who)| json!({ "id": who.id, "name": who.name, "url": who.url })), reason);
    put(&mut map, "since_at", chosen.map(|(chosen, ..)| at(chosen.since)), reason);
    map.insert("why".into(), said.map_or_else(|| nobody(asked, r.nobody), Said::why).into());
    put(&mut map, "chosen_because", chosen.map(|(chosen, ..)| because(&chosen.because, name)), reason);
    put(&mut map, "failures", said.map(|said| said.candidate.figures.failures), reason);
    let latencies = said.map_or([None; 2], |said| latencies_ms(&said.candidate.figures));
    for (name, latency_ms) in LATENCIES.into_iter().zip(latencies) {
        put(&mut map, name, latency_ms, said.map_or(reason, |_| "no_data"));
    }
    put(&mut map, "lag", said.map(|said| lag(&said.candidate.record)), reason);
    put(&mut map, "next_review_at", chosen.map(|(chosen, ..)| at(chosen.review())), reason);
    let others = r.said.iter().filter(|other| said.is_none_or(|said| !std::ptr::eq(said, *other)));
    let alternative = |other: &Said<K>| Some(alternative(other, identity(&other.candidate.mirror)?));
    map.insert("alternatives".into(), others.filter_map(alternative).collect());
    let candidates = r.said.iter().filter_map(|said| {
        let id = identity(&said.candidate.mirror)?.id;
        Some(json!({ "id": id, "is_eligible": said.is_eligible(), "why": said.why() }))
    });
    map.insert("candidates".into(), candidates.collect());
    Value::Object(map)
}

fn nobody(asked: Asked<'_>, nobody: Nobody) -> String {
    if asked.region.is_some() && asked.vantages.is_empty() {
        return "no vantage of the region can be believed now".to_owned();
    }
    if asked.region.is_some() && nobody == Nobody::NoneServes {
        return "no vantage of the region found a mirror that can be used yet".to_owned();
    }
    nobody.text()
}

/// Vantages tell whether a mirror can be used, and not why not: most often it is too early to say.
fn why_nobody(asked: Asked<'_>, nobody: Nobody) -> Nobody {
    if asked.region.is_some() && nobody == Nobody::NoneServes { Nobody::WarmingUp } else { nobody }
}

/// The names of the latencies: of the mean and of the median.
const LATENCIES: [&str; 2] = ["rtt_ms", "rtt_median_ms"];

fn latencies_ms(figures: &Figures) -> [Option<f64>; 2] {
    [figures.mean_us, figures.median_us].map(|us| us.map(|us| ms(us as f64)))
}

fn because<'a, K>(because: &Because<K>, name: impl Fn(&K) -> &'a str) -> String {
    match because {
        Because::First => "it was the best when nobody was chosen".to_owned(),
        Because::Left { before, objection } => format!("{} could not be used any more: {objection}", name(before)),
        Because::Faster { before, before_us, own_us } => format!(
            "it answered in {} ms in the mean, {} in {} ms: in less than 0.{BETTER_TENTHS} of that, behind {} min",
            ms(*own_us as f64),
            name(before),
            ms(*before_us as f64),
            BETTER_WAIT_NS / SECOND / 60,
        ),
    }
}

fn lag(record: &Record) -> Value {
    let mut map = Map::new();
    put(&mut map, "p95_ms", record.p95_us.map(|us| ms(us as f64)), "no_data");
    put(&mut map, "uncertainty_ms", record.p95_us.map(|_| ms(record.uncertainty_us as f64)), "no_data");
    Value::Object(map)
}

fn alternative<K>(said: &Said<K>, who: Identity<'_>) -> Value {
    let mut map = Map::new();
    map.insert("id".into(), who.id.into());
    map.insert("name".into(), who.name.into());
    map.insert("url".into(), who.url.into());
    map.insert("is_eligible".into(), said.is_eligible().into());
    map.insert("why".into(), said.why().into());
    write_figures(&mut map, &said.candidate.figures);
    map.insert("lag".into(), lag(&said.candidate.record));
    Value::Object(map)
}

fn write_figures(map: &mut Map<String, Value>, figures: &Figures) {
    map.insert("failures".into(), figures.failures.into());
    map.insert("samples".into(), figures.samples.into());
    map.insert("left_out".into(), figures.left_out.into());
    for (name, latency_ms) in LATENCIES.into_iter().zip(latencies_ms(figures)) {
        put(map, name, latency_ms, "no_data");
    }
}

/// The page for a purpose and a region.
#[must_use]
pub fn page_of_region(name: &str, region: &Region, purpose: Purpose) -> Value {
    let vantages: Vec<&str> = region.vantages.iter().map(String::as_str).collect();
    let asked = Asked { purpose, region: Some(name), vantages: &vantages };
    let identity =
        |key: &String| region.rows.get(key).map(|row| Identity { id: &row.id, name: &row.name, url: &row.url });
    told(asked, region.recommenders.of(purpose).shown(), identity, |at| rfc3339_ms(at.0 / MS))
}

/// What is said of a mirror for each purpose, in short: whether it can be chosen, and how it answers.
#[must_use]
pub fn purposes(picture: &Picture, mirror: usize) -> Value {
    let of = |purpose: Purpose| {
        let said = picture.recommended.of(purpose).of(&mirror);
        let mut map = Map::new();
        map.insert("is_eligible".into(), said.is_some_and(Said::is_eligible).into());
        write_figures(&mut map, &said.map(|said| said.candidate.figures).unwrap_or_default());
        (purpose.name().to_owned(), Value::Object(map))
    };
    Value::Object(Purpose::ALL.map(of).into_iter().collect())
}

/// The addresses of the mirrors whose stream can be used, one a line, the best first; in comments what this is, and why who
/// is not there is not.
#[must_use]
pub fn list(picture: &Picture) -> String {
    let r = &picture.recommended.stream;
    let now_ms = picture.capture.labels.utc_ms(picture.capture.now);
    let mut text =
        "# mirrors of the did:plc directory whose stream can be used now, best first; why: /api/v1/best\n".to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# made {}", rfc3339_ms(now_ms - now_ms.rem_euclid(MADE_STEP_MS)));
    let mut line = |line: &str| {
        let _ = writeln!(text, "{}", one_line(line, LINE_CHARS_MAX));
    };
    if r.chosen.is_none() {
        line(&format!("# none is listed: {}", r.nobody.text()));
    }
    for said in &r.said {
        let Some(who) = identity(picture, said.candidate.mirror) else { continue };
        match &said.objection {
            Some(objection) => line(&format!("# not listed: {}: {objection}", who.name)),
            None if r.chosen.is_some() => line(who.url),
            None => {}
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::mirror_state::State;
    use crate::domain::probes::ByPurpose;
    use crate::domain::recommend::{Candidate, Chosen};
    use crate::domain::view::tests::picture;

    fn said(mirror: usize, objection: Option<&str>) -> Said<usize> {
        let figures = Figures {
            failures: 3,
            samples: 20,
            mean_us: Some(41_200),
            median_us: Some(40_000),
            left_out: 7,
            ..Figures::default()
        };
        let record = Record { decided: 200, p95_us: Some(80_000), uncertainty_us: 5_000, ..Record::default() };
        let state = if objection.is_some() { State::Losing } else { State::Ok };
        let candidate = Candidate { mirror, state, since: Tau(0), record, figures, is_comparable: true, unfit: None };
        Said { candidate, objection: objection.map(str::to_owned) }
    }

    /// A picture in which a mirror is recommended for each purpose, one of them without any figures.
    pub(crate) fn recommending() -> Picture {
        let mut p =
            recommending_to_stream(Some(chosen(Because::First)), vec![said(1, None), said(0, Some("it is losing"))]);
        let mut bare = said(1, None);
        (bare.candidate.figures, bare.candidate.record) = (Figures::default(), Record::default());
        p.recommended.resolve =
            Recommendation { chosen: Some(chosen(Because::First)), nobody: Nobody::default(), said: vec![bare] };
        p
    }

    fn recommending_to_stream(chosen: Option<Chosen<usize>>, said: Vec<Said<usize>>) -> Picture {
        let mut p = picture();
        let nobody = Nobody::ObserverImpaired;
        p.recommended = ByPurpose { stream: Recommendation { chosen, nobody, said }, ..ByPurpose::default() };
        p
    }

    fn chosen(because: Because<usize>) -> Chosen<usize> {
        Chosen { mirror: 1, since: Tau(5 * SECOND), because }
    }

    #[test]
    fn the_chosen_one_has_its_figures_and_the_others_theirs() {
        let because = Because::Left { before: 0, objection: "it is losing".to_owned() };
        let p = recommending_to_stream(Some(chosen(because)), vec![said(1, None), said(0, Some("it is losing"))]);
        let page = page(&p, Purpose::Stream);
        assert_eq!(page["mirror"], json!({ "id": "b", "name": "b", "url": "wss://b.example" }));
        assert_eq!(page["chosen_because"], "a could not be used any more: it is losing");
        assert_eq!(
            (&page["failures"], &page["rtt_ms"], &page["rtt_median_ms"]),
            (&json!(3), &json!(41.2), &json!(40.0))
        );
        assert_eq!(page["lag"], json!({ "p95_ms": 80.0, "uncertainty_ms": 5.0 }));
        assert_eq!(page["next_review_at"], p.at(Tau(1_205 * SECOND)));
        let alternatives = page["alternatives"].as_array().unwrap();
        assert_eq!(alternatives.len(), 1);
        assert_eq!(alternatives[0]["id"], "a");
        assert_eq!((&alternatives[0]["why"], &alternatives[0]["left_out"]), (&json!("it is losing"), &json!(7)));
        let faster = Because::Faster { before: 0, before_us: 100_000, own_us: 69_000 };
        let told = super::page(&recommending_to_stream(Some(chosen(faster)), vec![said(1, None)]), Purpose::Stream);
        let words = "it answered in 69 ms in the mean, a in 100 ms: in less than 0.7 of that, behind 20 min";
        assert_eq!(told["chosen_because"], words);
        assert_eq!(purposes(&p, 1)["stream"]["rtt_ms"], json!(41.2));
        assert_eq!(purposes(&p, 1)["resolve"]["rtt_ms_reason"], json!("no_data"));
    }

    #[test]
    fn the_list_has_who_can_be_used_and_a_harmless_line_for_everybody_else() {
        let mut p =
            recommending_to_stream(Some(chosen(Because::First)), vec![said(1, None), said(0, Some("it is losing"))]);
        p.mirrors[0].name = "a\nwss://evil.example\u{202e}".to_owned();
        let text = list(&p);
        let (comments, listed): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#'));
        assert_eq!(listed, ["wss://b.example"], "{text}");
        assert_eq!(comments[2], "# not listed: a wss://evil.example : it is losing");
        assert!(comments[1].starts_with("# made 20") && comments[1].ends_with(":00.000Z"), "{text}");

        let nobody = list(&recommending_to_stream(None, vec![said(1, None), said(0, Some("it is losing"))]));
        assert!(nobody.lines().all(|line| line.starts_with('#')), "{nobody}");
        assert!(nobody.contains(&format!("\n# none is listed: {}\n", Nobody::ObserverImpaired.text())), "{nobody}");
    }
}
