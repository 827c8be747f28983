//! What every implementation of `Storage` promises, one rule a test.

pub mod checks;
pub mod companions;
pub mod events;
pub mod exercises;
pub mod hosts;
pub mod idempotency;
pub mod inbox;
pub mod lease;
pub mod list;
pub mod loops;
pub mod lost;
pub mod model;
pub mod prune;
pub mod queue;
pub mod rejudges;
pub mod rejudging;
pub mod restart;
pub mod results;
pub mod rounds;
pub mod sign_in;
pub mod submissions;

use guichet::domain::submission::LegacyRef;
use guichet::domain::time::Timestamp;
use guichet::storage::{LegacyDraft, Storage};

/// An implementation with a database of its own, deleted on drop.
pub trait Fixture: Sized {
    type Store: Storage;

    async fn open() -> Self;
    fn store(&self) -> &Self::Store;
    /// Ends the implementation and starts it anew on the same database.
    async fn reopen(self) -> Self;
    /// Writes a draft into the inbox in place of what is there for the id, as an original backend does: by a connection
    /// of its own.
    async fn write_draft(&self, legacy: &LegacyRef, draft: &LegacyDraft, updated_at: Timestamp);
}

/// Runs all rules on a fixture; a rule that isn't listed here is dead code to the compiler.
macro_rules! suite {
    ($fixture:ty) => {
        $crate::storage::conformance::rules! { $fixture, submissions:
            a_queued_submission_reads_back_as_it_was_stored
            a_draft_has_neither_place_nor_events
            nothing_is_stored_if_one_of_them_cannot_be
            places_count_all_that_were_stored_together
            an_id_that_a_backend_gave_twice_is_refused_with_its_holder
            an_id_that_comes_twice_in_one_call_is_refused
            two_backends_may_give_the_same_id
            a_file_reads_back_with_its_bytes
            what_would_be_too_much_in_all_is_refused
            what_would_be_too_much_of_an_owner_is_refused
            what_would_be_too_many_drafts_of_an_owner_is_refused
            drafts_count_in_no_limit_of_the_queue
        }
        $crate::storage::conformance::rules! { $fixture, list:
            the_newest_stand_first
            a_list_goes_on_behind_its_cursor
            a_list_shows_neither_files_nor_the_tests_of_results
            a_list_shows_places
            a_filter_by_time_takes_its_start_and_leaves_its_end
            a_filter_takes_what_matches_all_of_it
            a_filter_by_verdict_asks_the_newest_result
        }
        $crate::storage::conformance::rules! { $fixture, idempotency:
            the_same_request_is_answered_with_its_submission_as_it_is_now
            the_same_key_for_another_request_is_refused
            keys_of_two_subjects_are_two_keys
            a_key_is_forgotten_after_a_day
            a_request_that_was_refused_keeps_no_key
            a_request_is_replayed_though_the_queue_is_full
            asking_for_a_replay_stores_nothing
        }
        $crate::storage::conformance::rules! { $fixture, queue:
            a_better_class_goes_first
            many_of_one_owner_delay_another_by_one_at_most
            who_comes_late_stands_beside_the_next_to_start
            each_class_has_its_own_ranks
            a_place_falls_when_one_ahead_starts
            places_are_right_across_many_ranks
            the_queue_tells_owner_round_and_lost_attempts
            the_figures_count_what_waits_runs_and_finished
            durations_are_those_from_lease_to_end_newest_first
        }
        $crate::storage::conformance::rules! { $fixture, lease:
            a_run_goes_all_the_way
            nothing_is_leased_while_nothing_is_queued
            leases_are_taken_in_the_order_of_the_queue
            what_waits_for_another_runtime_is_overtaken
            a_lease_brings_the_files_in_their_order
            a_lease_brings_the_exercise_in_the_version_of_the_submission
            a_lease_that_was_renewed_does_not_expire
            a_lease_of_another_worker_is_not_renewed
            progress_is_logged_under_the_lease_only
            a_result_is_written_once
            a_draft_is_cancelled_with_an_event
            a_queued_submission_is_cancelled_and_leaves_the_queue
            a_running_submission_keeps_the_wish_to_cancel
            a_wish_to_cancel_wins_over_a_result
            what_was_cancelled_is_cancelled_again_without_an_event
            what_finished_is_not_cancelled
        }
        $crate::storage::conformance::rules! { $fixture, companions:
            what_has_a_companion_is_leased_where_both_can_run
            what_waits_for_a_companion_holds_up_nothing_behind_it
            a_run_and_a_later_version_without_a_checker_program_have_no_companion
            a_fault_of_the_exercise_ends_the_round_and_counts_no_lost_attempt
            a_wish_to_cancel_wins_over_a_fault_of_the_exercise
        }
        $crate::storage::conformance::rules! { $fixture, lost:
            a_lease_is_not_rescued_before_it_expires
            an_expired_lease_goes_back_to_its_old_place
            the_leases_of_all_other_workers_are_rescued_at_once
            a_late_result_of_a_lost_lease_is_dropped
            the_third_lost_instance_is_the_last
            the_second_lost_container_is_the_last
            a_container_lost_beside_a_host_is_not_the_last
            the_third_loss_is_the_last_for_whatever_reasons
            what_was_lost_with_two_instances_rests_before_its_last_attempt
            what_was_lost_with_two_instances_runs_alone_among_its_like
            what_was_handed_back_or_lost_with_hosts_does_not_rest
            a_clock_that_was_set_back_lets_nothing_rest
            what_is_handed_back_stands_at_its_old_place_with_the_attempt_counted
            what_is_handed_back_however_often_is_not_lost
            what_is_handed_back_says_why_and_with_which_container
            a_wish_to_cancel_ends_what_is_handed_back
            what_is_cancelled_after_it_was_handed_back_tells_of_its_attempt
            a_wish_to_cancel_ends_a_lost_attempt
            what_is_cancelled_between_attempts_tells_of_the_last_one
        }
        $crate::storage::conformance::rules! { $fixture, loops:
            a_loop_of_deaths_uses_up_no_attempt_of_what_it_runs
            what_kills_its_instance_each_time_has_failed_after_a_few
            what_kills_its_instance_at_once_has_failed_within_a_minute
            what_was_lost_twice_rests_from_the_start_of_the_newest_instance
            what_ran_beside_one_that_kills_its_instances_is_not_lost_with_it_for_good
        }
        $crate::storage::conformance::rules! { $fixture, rounds:
            files_are_not_replaced_while_they_are_graded
            an_ended_submission_with_the_same_files_is_not_queued_again
            the_order_of_files_is_no_change
            other_files_open_a_new_round_behind_all_others
            the_old_result_stays_until_the_new_one
            a_cancelled_second_round_shows_the_result_of_the_first
            an_ending_event_reads_the_same_after_later_rounds
            a_lease_of_an_earlier_round_is_lost
            a_new_round_has_all_its_attempts
            a_draft_is_queued_with_the_files_it_has_then
            a_draft_enters_the_queue_only_within_its_limits
            a_cancelled_draft_is_queued_only_with_other_files
        }
        $crate::storage::conformance::rules! { $fixture, rejudging:
            it_waits_behind_all_others_for_the_newest_version_and_keeps_its_result
            a_deleted_exercise_judges_with_the_version_it_had
            other_files_bring_its_own_class_back
            only_what_finished_or_failed_for_an_exercise_is_judged_again
            its_owner_may_have_too_many_queued_but_the_queue_may_not_be_full
        }
        $crate::storage::conformance::rules! { $fixture, checks:
            solutions_wait_behind_all_others_and_their_verdicts_are_told
            what_is_judged_for_them_is_read_by_its_id_and_nowhere_else
            a_full_queue_takes_none_of_them
            a_check_goes_with_age
        }
        $crate::storage::conformance::rules! { $fixture, rejudges:
            each_has_a_new_round_behind_all_others_with_the_version_of_its_beginning
            what_differs_is_counted_listed_and_told_and_what_does_not_is_not
            a_preview_changes_nothing_that_is_seen
            what_differs_in_a_preview_counts_once_it_is_applied
            a_preview_that_is_dropped_leaves_nothing
            what_its_owner_changed_since_stays_as_it_is
            one_at_a_time_for_an_exercise
            a_filter_takes_what_matches_all_of_it
            nothing_to_judge_has_ended_at_once
            what_waits_with_an_older_version_follows_once_it_has_ended
            what_is_cancelled_or_deleted_is_left_out
            many_enter_the_queue_a_few_at_a_time_and_never_fill_it
            what_is_judged_again_and_its_copies_go_with_age
        }
        $crate::storage::conformance::rules! { $fixture, events:
            the_log_of_a_submission_has_no_gaps
            the_log_of_an_owner_has_no_gaps
            a_page_begins_behind_the_asked_place
            a_place_that_a_log_never_came_to_is_unknown
            a_place_of_an_epoch_in_which_its_event_was_not_written_is_unknown
            a_log_that_nobody_wrote_is_empty
            a_snapshot_shows_what_is_unfinished_and_where_the_log_ends
            an_entry_tells_place_and_estimate
            changes_are_told_after_their_commit
            the_end_of_a_round_is_told_as_such
            a_wish_to_cancel_is_told
            a_first_look_at_all_logs_names_none
            the_logs_that_grew_since_a_look_are_named_once_each
            a_changed_log_says_where_its_submission_stands_now
            a_log_that_grew_after_the_newest_events_were_pruned_is_not_missed
        }
        $crate::storage::conformance::rules! { $fixture, exercises:
            a_changed_exercise_gets_the_next_version
            an_exercise_that_says_the_same_gets_none
            a_version_that_was_not_expected_changes_nothing
            what_should_be_absent_or_exist_is_checked
            the_numbering_goes_on_after_a_deletion
            an_exercise_that_was_read_is_read_as_it_is_after_each_change
            a_deleted_exercise_is_gone_from_every_list
            exercises_are_listed_newest_first
            a_list_of_exercises_is_of_their_newest_versions_without_tests
            a_page_of_large_exercises_is_short
        }
        $crate::storage::conformance::rules! { $fixture, results:
            the_best_and_the_last_of_each_owner_are_told
            the_tests_are_counted_in_the_last_of_each_owner_and_in_all
            only_what_was_graded_for_the_exercise_counts
            a_result_counts_until_that_of_the_next_round_replaces_it
            owners_come_page_by_page
            the_results_of_a_deleted_exercise_stay_and_those_of_none_are_none
        }
        $crate::storage::conformance::rules! { $fixture, hosts:
            a_host_of_the_settings_keeps_what_an_operator_wants_and_its_age
            a_host_that_is_not_known_cannot_be_changed
            what_the_settings_name_no_more_is_forgotten
            an_added_host_is_kept_whole_until_it_is_removed
            a_host_is_not_added_under_the_name_of_another
            a_host_of_the_settings_is_not_removed
            hosts_whose_name_or_url_the_settings_take_over_are_theirs
        }
        $crate::storage::conformance::rules! { $fixture, prune:
            old_ended_submissions_go_with_all_they_have
            what_waits_or_runs_stays_however_old
            a_draft_that_nobody_queued_goes_with_age
            those_that_went_are_missing_and_the_others_are_not
            a_pruned_log_is_unknown_from_before_its_start
            a_gap_in_the_log_of_an_owner_is_told
            numbers_go_on_after_pruning
        }
        $crate::storage::conformance::rules! { $fixture, sign_in:
            a_link_is_used_once
            looking_at_a_link_uses_nothing_up
            a_link_is_worth_nothing_from_its_end_on
            an_ended_session_stays_ended_and_others_go_on
            what_is_over_goes_and_what_is_not_stays
        }
        $crate::storage::conformance::rules! { $fixture, inbox with stranger:
            a_draft_of_the_inbox_reads_back_by_its_paths
            more_than_is_to_be_read_is_not_read
            a_draft_of_the_inbox_becomes_a_submission_and_leaves_the_inbox
            what_was_written_since_it_was_checked_is_not_taken_in
            a_draft_that_was_taken_in_meanwhile_is_not_taken_in_again
            a_draft_stays_in_the_inbox_while_its_submission_is_graded
            other_files_in_the_inbox_open_a_new_round
            the_same_files_in_the_inbox_open_no_round
            another_runtime_in_the_inbox_opens_a_new_round
            what_was_judged_again_is_in_its_own_class_when_the_inbox_asks_for_it
            a_draft_of_another_owner_or_exercise_changes_nothing
            what_was_stored_without_the_inbox_is_queued_by_its_id_once
            an_id_that_nobody_stored_is_unknown
            what_is_stored_later_is_newer_than_the_inbox
            a_draft_that_nobody_asked_for_is_pruned_with_age
        }
        $crate::storage::conformance::rules! { $fixture, restart with fixture:
            everything_is_there_after_a_restart
            links_and_ended_sessions_are_as_they_were_after_a_restart
            the_installation_is_made_once
            ranks_and_tickets_go_on_after_a_restart
            logs_are_read_on_behind_each_of_their_places_after_restarts
            a_pruned_log_is_read_on_behind_its_end_after_restarts
        }
        $crate::storage::conformance::rules! { $fixture, model with fixture:
            any_history_gives_the_order_and_the_logs_of_the_model
        }
    };
}
pub(crate) use suite;

macro_rules! rules {
    ($fixture:ty, $module:ident: $($rule:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $rule() {
                    let fixture = <$fixture as $crate::storage::conformance::Fixture>::open().await;
                    $crate::storage::conformance::$module::$rule(fixture.store()).await;
                }
            )*
        }
    };
    ($fixture:ty, $module:ident with stranger: $($rule:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $rule() {
                    let fixture = <$fixture as $crate::storage::conformance::Fixture>::open().await;
                    $crate::storage::conformance::$module::$rule(&fixture).await;
                }
            )*
        }
    };
    ($fixture:ty, $module:ident with fixture: $($rule:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $rule() {
                    $crate::storage::conformance::$module::$rule::<$fixture>();
                }
            )*
        }
    };
}
pub(crate) use rules;
