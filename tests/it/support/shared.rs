//! One service for tests that don't disturb each other: each has its own owner and exercise.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client::Client;
use super::exercises;
use super::guichet::TestGuichet;
use super::programs::Program;

/// The service while some test uses it; the last one stops it.
pub async fn shared() -> Arc<TestGuichet> {
    static SHARED: Mutex<Weak<TestGuichet>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(guichet) = shared.upgrade() {
        return guichet;
    }
    let guichet = Arc::new(TestGuichet::start().await);
    *shared = Arc::downgrade(&guichet);
    guichet
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// A student with an exercise of his own on the shared service.
#[derive(Debug)]
pub struct Bench {
    pub guichet: Arc<TestGuichet>,
    pub student: Client,
    pub teacher: Client,
    pub exercise: String,
}

impl Bench {
    /// A bench for that exercise.
    pub async fn new(exercise: &Value) -> Self {
        let guichet = shared().await;
        let (student, teacher) = (guichet.student(&unique("student")), guichet.teacher());
        let bench = Self { guichet, student, teacher, exercise: unique("exercise") };
        bench.teacher.put_exercise(&bench.exercise, exercise).await;
        bench
    }

    /// A bench for an exercise of one public test with these limits.
    pub async fn with_limits(stdin: &str, expected: &str, limits: &Value) -> Self {
        Self::new(&exercises::one_test_with(stdin, expected, limits)).await
    }

    /// A bench for an exercise of one public test without input.
    pub async fn expecting(expected: &str) -> Self {
        Self::with_limits("", expected, &json!({})).await
    }

    /// The student's result.
    pub async fn result(&self, program: &Program) -> Value {
        self.student.grade(&self.exercise, program).await
    }

    /// The report of the only test.
    pub async fn report(&self, program: &Program) -> Value {
        self.result(program).await["tests"][0].clone()
    }
}
