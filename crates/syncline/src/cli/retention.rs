//! How long what documents were is kept: the table `[history]` of the settings.

use serde::{Deserialize, Deserializer, de::Error};
use syncline::server::{HistoryRetention, HistoryRules};

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct History {
    #[serde(default)]
    keep: Keep,
    /// The first that fits a room counts.
    #[serde(default)]
    rooms: Vec<Room>,
}

/// A rule for rooms by name, or by what their names begin with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    name: String,
    keep: Keep,
}

/// `"all"`, `"none"`, or a number of days.
#[derive(Clone, Copy, Debug, Default)]
struct Keep(HistoryRetention);

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Days(u32),
            Word(String),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Days(days)) if days > 0 => Ok(Self(HistoryRetention::Days(days))),
            Ok(Form::Word(word)) if word == "all" => Ok(Self(HistoryRetention::All)),
            Ok(Form::Word(word)) if word == "none" => Ok(Self(HistoryRetention::Nothing)),
            Ok(_) | Err(_) => Err(D::Error::custom("keep is \"all\", \"none\" or a number of days")),
        }
    }
}

impl History {
    pub(super) fn rules(self) -> HistoryRules {
        HistoryRules {
            others: self.keep.0,
            rooms: self.rooms.into_iter().map(|Room { name, keep }| (name, keep.0)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<HistoryRules, toml::de::Error> {
        toml::from_str(text).map(History::rules)
    }

    #[test]
    fn what_is_not_said_is_a_month() {
        assert_eq!(rules("").unwrap(), HistoryRules::default());
        let written = rules(
            "keep = 'all'\n[[rooms]]\nname = 'drafts/*'\nkeep = 'none'\n[[rooms]]\nname = 'x'\nkeep = 7",
        );
        let rooms = [("drafts/*", HistoryRetention::Nothing), ("x", HistoryRetention::Days(7))];
        let rooms = rooms.map(|(name, keep)| (name.to_owned(), keep)).to_vec();
        assert_eq!(written.unwrap(), HistoryRules { others: HistoryRetention::All, rooms });
        for wrong in ["keep = 0", "keep = 'some'", "keep = -1", "days = 3", "[[rooms]]\nname = 'x'"] {
            assert!(rules(wrong).is_err(), "{wrong}");
        }
    }
}
