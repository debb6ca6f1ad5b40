//! Allow statements that reach privilege transitions (`kubernetes-contract.md` B11, B12).

use std::collections::BTreeMap;
use std::fmt::Display;

use super::finding::{Code, Finding, Severity};
use super::object::{Body, Part, Reach};
use super::reach::{self, Way};
use super::transition::{Place, TRANSITIONS, Transition};
use crate::policy::pattern::{ActionPattern, Budget, ResourcePattern};
use crate::policy::report::Quoted;
use crate::policy::statement::{Element, Polarity, Soundness};
use crate::policy::{Effect, Statement};
use crate::world::Settings;

/// Characters of a pattern that a message shows.
const ACTION_CHARACTERS: usize = 28;
const RESOURCE_CHARACTERS: usize = 36;
const ALL_BUT: &str = "all but ";

/// How a statement comes to a transition.
#[derive(Clone, Copy)]
struct Route {
    action: Way,
    resource: Way,
}

/// Whether a permission is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Named,
    Wildcard,
}

/// The transitions that one part of a statement opens.
struct Opened {
    part: Part,
    width: Width,
    route: Route,
    first: &'static Transition,
    count: usize,
}

/// A finding about a part of a statement.
struct Said {
    part: Part,
    code: Code,
    severity: Severity,
    message: String,
}

/// One statement and what is asked of it.
struct Reader<'a> {
    statement: &'a Statement,
    reach: &'a Reach,
    settings: &'a Settings,
    budget: &'a Budget,
    /// Actions of the table that were looked up.
    actions: BTreeMap<&'static str, Option<Way>>,
}

/// What there is to say about a policy: for each statement one finding for each entry that opens something.
pub(super) fn findings(body: &Body<'_>, settings: &Settings, budget: &Budget) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, statement) in body.policy.statements.iter().enumerate() {
        if statement.effect == Effect::Deny || statement.soundness == Soundness::Malformed {
            continue;
        }
        let mut reader = Reader { statement, reach: &body.reach, settings, budget, actions: BTreeMap::new() };
        let mut said = reader.read();
        if budget.is_spent() {
            // Whatever was not looked at may be reached.
            let message = "its wildcards take too many steps to tell which privilege transitions they reach";
            said = vec![Said::wildcard(Part::Statement, Severity::SecurityWarning, message.to_owned())];
        }
        findings.extend(said.into_iter().map(|Said { part, code, severity, message }| Finding {
            code,
            severity,
            path: body.path(index, part),
            message,
        }));
        if budget.is_spent() {
            break;
        }
    }
    findings
}

// === impl Route ===

impl Route {
    /// The part that opens the way: the first that is wider than a name.
    fn part(self) -> (Part, Width) {
        match (self.action, self.resource) {
            (Way::Wildcard(index), _) => (Part::Action(index), Width::Wildcard),
            (Way::NotExcepted, _) => (Part::NotActions, Width::Wildcard),
            (_, Way::Wildcard(index)) => (Part::Resource(index), Width::Wildcard),
            (_, Way::NotExcepted) => (Part::NotResources, Width::Wildcard),
            (Way::Named(index), Way::Named(_) | Way::Attached) => (Part::Action(index), Width::Named),
            (Way::Attached, Way::Named(_) | Way::Attached) => (Part::Statement, Width::Named),
        }
    }
}

// === impl Said ===

impl Said {
    fn wildcard(part: Part, severity: Severity, message: String) -> Self {
        Self { part, code: Code::WildcardCoversPrivilegeTransition, severity, message }
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn read(&mut self) -> Vec<Said> {
        let mut all: Vec<Opened> = Vec::new();
        for transition in TRANSITIONS {
            let Some(route) = self.route(transition) else { continue };
            let (part, width) = route.part();
            // Who may assume a role is what its trust policy is for.
            if width == Width::Named && *self.reach == Reach::OwnRole {
                continue;
            }
            match all.iter_mut().find(|opened| opened.part == part && opened.width == width) {
                Some(opened) => opened.count = opened.count.saturating_add(1),
                None => all.push(Opened { part, width, route, first: transition, count: 1 }),
            }
        }
        let mut said: Vec<Said> = self.spanning().into_iter().collect();
        said.extend(all.into_iter().map(|opened| self.opened(&opened)));
        said
    }

    /// How the statement comes to a transition; by a wildcard, if there is such a way.
    fn route(&mut self, transition: &'static Transition) -> Option<Route> {
        let mut places = None;
        let mut named = None;
        for action in transition.actions {
            let Some(way) = self.way_to(action) else { continue };
            let places = places.get_or_insert_with(|| {
                transition.places.iter().filter_map(|place| self.way_to_place(place)).collect::<Vec<Way>>()
            });
            for place in places.iter() {
                let route = Route { action: way, resource: *place };
                match route.part().1 {
                    Width::Named => named = named.or(Some(route)),
                    Width::Wildcard => return Some(route),
                }
            }
        }
        named
    }

    fn way_to(&mut self, action: &'static str) -> Option<Way> {
        let look_up = || reach::to_action(&self.statement.actions, action, self.budget);
        *self.actions.entry(action).or_insert_with(look_up)
    }

    fn way_to_place(&self, place: &'static Place) -> Option<Way> {
        let attached = match self.reach {
            Reach::Named | Reach::Targets(None) => true,
            Reach::OwnRole => place.is_role(),
            Reach::Targets(Some(targets)) => reach::is_target(targets, place, self.settings, self.budget),
        };
        if !attached {
            return None;
        }
        reach::to_place(&self.statement.resources, place, self.settings, self.budget)
    }

    /// An entry such as `k8s:get*`, which was meant for a verb and reaches subresources that matter.
    fn spanning(&mut self) -> Option<Said> {
        let Element::Listed(Polarity::Positive, entries) = &self.statement.actions else { return None };
        for transition in TRANSITIONS {
            for action in transition.actions {
                if self.way_to(action).is_none() {
                    continue;
                }
                let spans = |entry: &ActionPattern| reach::spans_subresource(entry, action, self.budget);
                let Some(index) = entries.iter().position(spans) else { continue };
                if transition.places.iter().any(|place| self.way_to_place(place).is_some()) {
                    let message = format!(
                        "{} reaches subresources, `{action}` too: name the verb alone, or write the `/`",
                        shown(entries.get(index), ACTION_CHARACTERS)
                    );
                    return Some(Said::wildcard(Part::Action(index), Severity::Error, message));
                }
            }
        }
        None
    }

    fn opened(&self, opened: &Opened) -> Said {
        let Opened { part, width, route, first, count } = opened;
        let subject = format!("{}{}", self.action(route.action), self.resource(route.resource));
        let number = match count {
            1 => "a privilege transition:".to_owned(),
            _ => format!("{count} privilege transitions, such as"),
        };
        let end = format!("{number} {} ({})", first.what, first.why);
        match width {
            Width::Wildcard => Said::wildcard(*part, Severity::SecurityWarning, format!("{subject} reaches {end}")),
            Width::Named => Said {
                part: *part,
                code: Code::SensitiveGrant,
                severity: Severity::Suggestion,
                message: format!("{subject} is {end}"),
            },
        }
    }

    fn action(&self, way: Way) -> String {
        match (way, &self.statement.actions) {
            (Way::Named(index) | Way::Wildcard(index), Element::Listed(_, entries)) => {
                shown(entries.get(index), ACTION_CHARACTERS)
            }
            (Way::NotExcepted, Element::Listed(_, entries)) => all_but(entries, ACTION_CHARACTERS),
            (_, _) => String::new(),
        }
    }

    fn resource(&self, way: Way) -> String {
        match (way, &self.statement.resources) {
            (Way::Named(index) | Way::Wildcard(index), Element::Listed(_, entries)) => {
                format!(" on {}", shown::<ResourcePattern>(entries.get(index), RESOURCE_CHARACTERS))
            }
            (Way::NotExcepted, Element::Listed(_, entries)) => {
                format!(" on {}", all_but(entries, RESOURCE_CHARACTERS))
            }
            (_, _) => String::new(),
        }
    }
}

// === free functions ===

/// An entry in back-ticks, cut.
fn shown<T: Display>(entry: Option<&T>, most: usize) -> String {
    let text = entry.map(T::to_string).unwrap_or_default();
    let quoted = Quoted(&text).to_string();
    // The first character is a back-tick.
    match quoted.char_indices().nth(most.saturating_add(2)) {
        Some(_) => format!("{}…`", quoted.chars().take(most.saturating_add(1)).collect::<String>()),
        None => quoted,
    }
}

fn all_but<T: Display>(entries: &[T], most: usize) -> String {
    match entries {
        [one] => format!("{ALL_BUT}{}", shown(Some(one), most.saturating_sub(ALL_BUT.len()))),
        _ => format!("{ALL_BUT}{} patterns", entries.len()),
    }
}
