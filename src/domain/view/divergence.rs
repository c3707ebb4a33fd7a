//! Divergence by age: operations on one side only for at least so long of proved observation, in both directions.

use super::{Picture, content, sample};
use crate::domain::interval::ExtraState;
use crate::domain::source::SourceIx;
use crate::domain::time::SECOND;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};

/// The ages in seconds.
pub const AGES_S: [i64; 8] = [1, 5, 15, 60, 300, 900, 3_600, 21_600];

fn by_age(ages_ns: impl Iterator<Item = i64>) -> Vec<u64> {
    let mut counts = [0_u64; AGES_S.len()];
    for age_ns in ages_ns {
        for (count, age_s) in counts.iter_mut().zip(AGES_S) {
            *count += u64::from(age_ns >= age_s * SECOND);
        }
    }
    counts.to_vec()
}

/// Ages of the operations that mirror `m` was to deliver and has not, by how long its window is proved since.
fn missing_ages(picture: &Picture, m: usize) -> impl Iterator<Item = i64> {
    let held = &picture.capture.held;
    let proved = picture.capture.mirrors.get(m).map_or_else(Default::default, |c| c.source.proved);
    held.lacking(m).flat_map(move |(first, chunk)| {
        chunk.undelivered(m).filter_map(move |place| {
            let (row, cell) = (chunk.rows().get(place)?, chunk.cells(m).get(place)?);
            let lacks = matches!(cell.verdict(), Verdict::Pending | Verdict::Missed);
            (first + place as u64 >= held.base && lacks).then(|| proved.since(row.p))
        })
    })
}

fn row(picture: &Picture, m: usize, id: &str) -> Map<String, Value> {
    let c = &picture.capture;
    let proved = c.primary.proved;
    let is_extra = |s: ExtraState| matches!(s, ExtraState::Pending | ExtraState::Extra);
    let extras = c.extras.iter().filter(|s| usize::from(s.mirror) == m && is_extra(s.state));
    let mut map = Map::new();
    map.insert("id".into(), id.into());
    map.insert("missing_ops".into(), by_age(missing_ages(picture, m)).into());
    map.insert("extra_ops".into(), by_age(extras.map(|s| proved.since(s.q))).into());
    map.insert("altered_ops".into(), c.mirrors.get(m).map_or(0, |x| x.source.altered).into());
    map.insert("extra_truncated".into(), c.is_extras_cut.into());
    map
}

/// The page.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let mirrors: Vec<Value> =
        picture.mirrors.iter().enumerate().map(|(m, info)| Value::Object(row(picture, m, &info.id))).collect();
    json!({ "age_ge_s": AGES_S, "mirrors": mirrors })
}

/// The page of mirror `m`, with what else was found about its content; none where there is no such mirror.
#[must_use]
pub fn mirror(picture: &Picture, m: usize) -> Option<Value> {
    let (info, capture) = (picture.mirrors.get(m)?, picture.capture.mirrors.get(m)?);
    let mut map = row(picture, m, &info.id);
    map.insert("age_ge_s".into(), AGES_S.to_vec().into());
    map.insert("open_misses".into(), capture.open_misses.into());
    map.insert("dids_affected".into(), capture.dids_affected.into());
    map.insert("content".into(), content::counts(&capture.source.content));
    map.insert("samples".into(), sample::figures(picture, m));
    map.insert("sample_differences".into(), sample::differences(picture, m));
    map.insert("findings".into(), content::latest(picture, SourceIx::mirror(m)).into());
    Some(Value::Object(map))
}
