//! The list itself: which rooms are in it, in which order, and how it is written.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::{Value, json};
use syncline_core::id::RoomName;

use super::{
    card::Facts,
    directory::{Known, Pass},
};
use crate::limits::LISTED_ROOMS_MAX;

/// Rooms with people in them first, then those that were edited last; ties by name.
type Rank<'a> = (Reverse<bool>, Reverse<Option<u64>>, &'a RoomName);

/// Writes the list as JSON.
pub(super) fn write(known: Known, open: BTreeMap<RoomName, Facts>) -> String {
    let (rooms, total) = merge(&known, open);
    let rooms: Vec<Value> = ranked(&rooms).into_iter().map(|(name, facts)| room(name, facts)).collect();
    json!({ "total": total, "complete": known.pass == Pass::Done, "rooms": rooms }).to_string()
}

/// Returns the names of the open rooms that the list shows.
pub(super) fn shown(known: &Known, open: &BTreeMap<RoomName, Facts>) -> Vec<RoomName> {
    let (rooms, _) = merge(known, open.clone());
    ranked(&rooms).into_iter().map(|(name, _)| name.clone()).filter(|name| open.contains_key(name)).collect()
}

/// Joins open and stored rooms, and counts them. A room that holds nothing counts while somebody is in it.
fn merge(known: &Known, mut open: BTreeMap<RoomName, Facts>) -> (BTreeMap<RoomName, Facts>, usize) {
    open.retain(|_, facts| facts.stored || facts.connections > 0);
    let unstored = open.values().filter(|facts| !facts.stored).count();
    let mut rooms = open;
    for (name, size) in &known.recent {
        let closed = || Facts { size: *size, stored: true, ..Facts::default() };
        rooms.entry(name.clone()).or_insert_with(closed);
    }
    // While the pass is under way more may be known than it has counted.
    let total = (known.total + unstored).max(rooms.len());
    (rooms, total)
}

fn ranked(rooms: &BTreeMap<RoomName, Facts>) -> Vec<(&RoomName, &Facts)> {
    let mut ranked: Vec<_> = rooms.iter().collect();
    ranked.sort_by_key(|(name, facts)| rank(name, facts));
    ranked.truncate(LISTED_ROOMS_MAX);
    ranked
}

fn rank<'a>(name: &'a RoomName, facts: &Facts) -> Rank<'a> {
    (Reverse(facts.connections > 0), Reverse(facts.size.edited.map(|at| at.0)), name)
}

fn room(name: &RoomName, facts: &Facts) -> Value {
    let people = facts.people.iter().map(|person| json!({ "name": person.name, "color": person.color }));
    json!({
        "name": name.as_str(),
        "bytes": facts.size.bytes,
        "edited": facts.size.edited.map(|at| at.0),
        "connections": facts.connections,
        "people": people.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use syncline_core::{person::Person, time::WallMs};

    use super::*;
    use crate::lobby::card::Size;

    fn name(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    fn facts(edited: Option<u64>, stored: bool, connections: usize) -> Facts {
        Facts { size: Size { bytes: 9, edited: edited.map(WallMs) }, stored, connections, ..Facts::default() }
    }

    /// Goal: the order, what is left out, and the bytes of one room.
    #[test]
    fn the_list_has_an_order() {
        let mut known = Known { total: 3, pass: Pass::Done, ..Known::default() };
        known.recent.insert(name("old"), Size { bytes: 1, edited: Some(WallMs(1)) });
        known.recent.insert(name("new"), Size { bytes: 2, edited: Some(WallMs(8)) });
        known.recent.insert(name("busy"), Size { bytes: 3, edited: Some(WallMs(2)) });
        let mut busy = facts(Some(5), true, 1);
        busy.people.push(Person { name: "Ada".into(), color: Some("#123".into()) });
        let open = BTreeMap::from([
            (name("busy"), busy),
            (name("empty"), facts(None, false, 1)),
            (name("left"), facts(None, false, 0)),
        ]);
        assert_eq!(shown(&known, &open), [name("busy"), name("empty")]);

        let list: Value = serde_json::from_str(&write(known, open)).unwrap();
        let names: Vec<&str> =
            list["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["busy", "empty", "new", "old"]);
        assert_eq!((&list["total"], &list["complete"]), (&json!(4), &json!(true)));
        assert_eq!(
            list["rooms"][0],
            json!({
                "name": "busy", "bytes": 9, "edited": 5, "connections": 1,
                "people": [{ "name": "Ada", "color": "#123" }],
            })
        );
        assert_eq!(list["rooms"][1]["edited"], Value::Null);
    }
}
