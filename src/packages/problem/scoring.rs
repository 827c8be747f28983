//! A tree of test groups as groups that stand beside each other and are worth the same.
//!
//! What a tree comes to is a sum, over groups of tests, of points that are won by all tests, by each or by the worst. A
//! group whose parent adds up its parts keeps its own points; a group that is accepted only as a whole takes in all that
//! is below it. A group that is left out once an earlier one failed depends on that one.

use super::super::Notes;

/// How a group's score comes from those of its tests and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Average,
    Least,
    Greatest,
}

/// A test or a group, in order.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A test, by name.
    Test(String),
    Group(Group),
}

/// A group of a tree.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Its path below the folder of data, and that of the file or folder that says how it is scored.
    pub(super) name: String,
    pub(super) said_in: String,
    pub(super) items: Vec<Item>,
    /// Whether it is accepted whatever becomes of its tests; else it is worth nothing unless all are accepted.
    pub(super) accepts_always: bool,
    pub(super) fold: Fold,
    /// What an accepted test of its own is worth.
    pub(super) test_score: f64,
    /// What it is worth if all is accepted, whatever its parts are worth.
    pub(super) worth: Option<f64>,
    /// Whether what follows a part that is not accepted is left out.
    pub(super) breaks: bool,
    /// Groups that must be accepted before, by name.
    pub(super) requires: Vec<String>,
}

/// A group of an exercise; its points are not whole yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flat {
    pub(super) name: String,
    pub(super) tests: Vec<String>,
    pub(super) scoring: &'static str,
    pub(super) points: f64,
    pub(super) depends_on: Vec<String>,
    pub(super) stops: bool,
}

impl Group {
    /// Its tests and those below it, in order.
    pub(super) fn tests(&self) -> Vec<String> {
        let mut tests = Vec::new();
        for item in &self.items {
            match item {
                Item::Test(name) => tests.push(name.clone()),
                Item::Group(group) => tests.extend(group.tests()),
            }
        }
        tests
    }

    fn own_tests(&self) -> Vec<String> {
        self.items
            .iter()
            .filter_map(|item| if let Item::Test(name) = item { Some(name.clone()) } else { None })
            .collect()
    }

    fn groups(&self) -> impl Iterator<Item = &Self> {
        self.items.iter().filter_map(|item| if let Item::Group(group) = item { Some(group) } else { None })
    }

    /// Its score if all tests are accepted.
    fn full(&self) -> f64 {
        if let Some(worth) = self.worth {
            return worth;
        }
        let scores = || {
            self.items.iter().map(|item| match item {
                Item::Test(_) => self.test_score,
                Item::Group(group) => group.full(),
            })
        };
        match self.fold {
            Fold::Sum => scores().sum(),
            Fold::Average => scores().sum::<f64>() / count(self.items.len()),
            Fold::Least => scores().reduce(f64::min).unwrap_or(0.0),
            Fold::Greatest => scores().reduce(f64::max).unwrap_or(0.0),
        }
    }

    /// Whether it is worth all or nothing, and all only if every test is accepted.
    fn is_whole(&self) -> bool {
        let parts_are = || self.groups().all(Self::is_whole);
        self.worth.is_some()
            || (!self.accepts_always && self.groups().all(|part| part.is_whole() && part.rejects()))
            || (self.fold == Fold::Least && parts_are())
            || (self.items.len() == 1 && parts_are())
    }

    /// Whether it is not accepted if a test is not.
    fn rejects(&self) -> bool {
        !self.accepts_always && (!self.own_tests().is_empty() || self.groups().any(Self::rejects))
    }
}

fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items.max(1)).unwrap_or(u32::MAX))
}

/// The groups that are worth what the trees are worth, in the order in which they are run.
///
/// * `fractions` — whether a test may be worth a part of its points.
pub(super) fn flatten(
    roots: &[(&Group, f64)],
    breaks: bool,
    fractions: bool,
    notes: &mut Notes,
) -> Vec<Flat> {
    let mut flattening = Flattening { flat: Vec::new(), fractions, notes };
    let mut failing = Vec::new();
    for (root, factor) in roots {
        let names = flattening.group(root, *factor, &failing);
        if breaks && root.rejects() {
            failing.extend(names);
        }
    }
    let Flattening { mut flat, notes, .. } = flattening;
    whole_points(&mut flat, notes);
    require(roots, &mut flat, notes);
    flat
}

struct Flattening<'a> {
    flat: Vec<Flat>,
    fractions: bool,
    notes: &'a mut Notes,
}

impl Flattening<'_> {
    /// Adds what a group comes to, and answers by which names it fails if it can.
    fn group(&mut self, group: &Group, factor: f64, after: &[String]) -> Vec<String> {
        let only_tests = group.groups().next().is_none();
        if group.tests().is_empty() {
            return Vec::new();
        }
        if self.fractions && only_tests && group.fold == Fold::Least && group.worth.is_none() {
            return self.add(group, group.tests(), "min", group.full() * factor, after);
        }
        if group.is_whole() {
            return self.add(group, group.tests(), "all_or_nothing", group.full() * factor, after);
        }
        let factor = match group.fold {
            Fold::Sum => factor,
            Fold::Average => factor / count(group.items.len()),
            Fold::Least | Fold::Greatest => {
                let fold = if group.fold == Fold::Least { "least" } else { "greatest" };
                let message = format!(
                    "asks for the {fold} of scores that are no whole ones: it is worth something only if all its tests are accepted"
                );
                self.notes.add(group.said_in.clone(), message);
                return self.add(group, group.tests(), "all_or_nothing", group.full() * factor, after);
            }
        };
        if group.accepts_always {
            self.parts(group, factor, after)
        } else {
            self.whole_and_parts(group, factor, after)
        }
    }

    /// Of a group that adds up its parts: each of them, and its own tests.
    fn parts(&mut self, group: &Group, factor: f64, after: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = after.to_vec();
        let mut run: Vec<String> = Vec::new();
        let mut waiting: &[Item] = &group.items;
        if !group.breaks {
            // Their order decides nothing.
            let own = group.own_tests();
            names.extend(self.own(group, own, factor, &after));
        }
        while let Some((item, rest)) = waiting.split_first() {
            waiting = rest;
            match item {
                Item::Test(name) if group.breaks => run.push(name.clone()),
                Item::Test(_) => {}
                Item::Group(part) => {
                    let own = self.own(group, std::mem::take(&mut run), factor, &after);
                    after.extend(own.iter().cloned());
                    names.extend(own);
                    let added = self.group(part, factor, &after);
                    if group.breaks && part.rejects() {
                        after.extend(added.iter().cloned());
                    }
                    names.extend(added);
                }
            }
        }
        names.extend(self.own(group, run, factor, &after));
        names
    }

    /// Of a group that is worth nothing unless what can fail is accepted: that as one, and before the rest.
    fn whole_and_parts(&mut self, group: &Group, factor: f64, after: &[String]) -> Vec<String> {
        let whole = |part: &&Group| part.rejects();
        let mut tests = group.own_tests();
        let mut points = group.test_score * if tests.is_empty() { 0.0 } else { count(tests.len()) };
        for part in group.groups().filter(whole) {
            if !part.is_whole() {
                let message = format!("{} is worth something only if all its tests are accepted", part.name);
                self.notes.add(group.said_in.clone(), message);
            }
            tests.extend(part.tests());
            points += part.full();
        }
        let names = if tests.is_empty() {
            Vec::new()
        } else {
            self.add(group, tests, "all_or_nothing", points * factor, after)
        };
        let after = [after, &names].concat();
        for part in group.groups().filter(|part| !part.rejects()) {
            self.group(part, factor, &after);
        }
        names
    }

    /// Tests of a group that are each worth something.
    fn own(&mut self, group: &Group, tests: Vec<String>, factor: f64, after: &[String]) -> Vec<String> {
        if tests.is_empty() {
            return Vec::new();
        }
        let points = group.test_score * count(tests.len()) * factor;
        self.add(group, tests, "sum", points, after)
    }

    fn add(
        &mut self,
        group: &Group,
        tests: Vec<String>,
        scoring: &'static str,
        points: f64,
        after: &[String],
    ) -> Vec<String> {
        let is_taken = |name: &str| self.flat.iter().any(|flat| flat.name == name);
        let numbered = (2..).map(|number| format!("{} ({number})", group.name));
        let mut names = std::iter::once(group.name.clone()).chain(numbered);
        let Some(name) = names.find(|name| !is_taken(name)) else { return Vec::new() };
        let depends_on = after.to_vec();
        self.flat.push(Flat { name: name.clone(), tests, scoring, points, depends_on, stops: group.breaks });
        vec![name]
    }
}

/// Rounds points so that any number of groups from the first on is worth what it was, within half a point.
fn whole_points(flat: &mut [Flat], notes: &mut Notes) {
    let mut sum = 0.0;
    let mut told = 0.0;
    for group in flat {
        let exact = group.points;
        sum += exact;
        group.points = (sum - told).round().max(0.0);
        told += group.points;
        if (group.points - exact).abs() > 1e-9 {
            notes.add(
                format!("data/{}", group.name),
                format!("is worth {} of its {exact:.2} points: points are whole numbers here", group.points),
            );
        }
    }
}

/// Makes groups depend on what their groups in the tree require.
fn require(roots: &[(&Group, f64)], flat: &mut [Flat], notes: &mut Notes) {
    let mut waiting: Vec<&Group> = roots.iter().map(|(root, _)| *root).collect();
    while let Some(group) = waiting.pop() {
        waiting.extend(group.groups());
        let own = group.tests();
        for required in &group.requires {
            let inside = format!("{required}/");
            let is_of = |test: &String| test == required || test.starts_with(&inside);
            let holders: Vec<(usize, &Flat)> =
                flat.iter().enumerate().filter(|(_, flat)| flat.tests.iter().any(is_of)).collect();
            if holders.is_empty() {
                notes.add(group.said_in.clone(), format!("requires {required}, which has no tests"));
                continue;
            }
            if holders.iter().any(|(_, flat)| !flat.tests.iter().all(is_of)) {
                let message = format!("requires {required}: the whole group that it is in must be accepted");
                notes.add(group.said_in.clone(), message);
            }
            let holders: Vec<(usize, String)> =
                holders.into_iter().map(|(place, flat)| (place, flat.name.clone())).collect();
            for (place, flat) in flat.iter_mut().enumerate() {
                if !flat.tests.iter().any(|test| own.contains(test)) {
                    continue;
                }
                for (before, name) in &holders {
                    if *before < place && !flat.depends_on.contains(name) {
                        flat.depends_on.push(name.clone());
                    } else if *before > place {
                        notes.add(
                            group.said_in.clone(),
                            format!("requires {required}, which does not come before it"),
                        );
                    }
                }
            }
        }
    }
}
