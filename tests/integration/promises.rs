//! What is documented of bad input, row by row, each beside the test that shows its words and its code, and what is
//! promised in the crate's documentation. A row whose test is gone fails here.
//!
//! The configuration, where exit codes are 78 and 66:
//!
//! | row | test |
//! |---|---|
//! | file absent | `files_that_are_no_configuration_at_all_are_refused_as_a_whole` |
//! | syntax | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | unknown key | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | wrong type | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | http:// mirror | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | ws:// | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | private address | `no_spelling_of_a_private_address_is_taken_without_leave` |
//! | credentials, path, fragment | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | duplicate mirror, or the primary | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | number | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | contradictory | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | too many mirrors | `every_wrong_configuration_is_refused_in_one_line_with_78` |
//! | token short or readable for all | `a_token_that_is_short_or_lies_open_is_refused_and_never_shown` |
//! | above 1 MiB, not UTF-8, NUL | `files_that_are_no_configuration_at_all_are_refused_as_a_whole` |
//! | all at once | `all_that_is_wrong_is_told_at_once` |
//! | on SIGHUP | `intervals_and_the_log_change_without_a_word_to_any_source_and_a_wrong_file_changes_nothing` |
//!
//! Environment, command line and start:
//!
//! | row | test |
//! |---|---|
//! | wrong variable | `every_wrong_variable_and_argument_is_refused_in_one_line_with_64` |
//! | unknown variable | `an_unknown_variable_is_a_warning` |
//! | unknown argument | `every_wrong_variable_and_argument_is_refused_in_one_line_with_64` |
//! | argument without a value | `every_wrong_variable_and_argument_is_refused_in_one_line_with_64` |
//! | not a date | `every_wrong_variable_and_argument_is_refused_in_one_line_with_64` |
//! | port taken | `a_second_instance_and_a_taken_port_are_refused` |
//! | low port | `what_is_not_permitted_ends_with_77` |
//! | directory not writable | `what_is_not_permitted_ends_with_77` |
//! | directory in use | `a_second_instance_and_a_taken_port_are_refused` |
//! | open files | `too_few_open_files_are_warned_of` |
//!
//! Frames and connections:
//!
//! | row | test |
//! |---|---|
//! | `not_text` | `each_reason_to_refuse_a_frame_is_counted_under_its_name_and_told` |
//! | `too_large` | `every_reason_has_a_name_of_its_own` |
//! | `bad_json` | `each_fault_has_its_own_reason` |
//! | depth | `each_fault_has_its_own_reason` |
//! | `duplicate_key` | `each_fault_has_its_own_reason` |
//! | `not_object` | `each_fault_has_its_own_reason` |
//! | `unknown_type` | `each_fault_has_its_own_reason` |
//! | missing | `each_fault_has_its_own_reason` |
//! | `bad_did` | `each_fault_has_its_own_reason` |
//! | `bad_cid` | `each_fault_has_its_own_reason` |
//! | `bad_seq`, out of range | `each_fault_has_its_own_reason` |
//! | `bad_seq`, regress and jump | `a_number_that_goes_back_or_leaps_is_told` |
//! | `bad_seq` on the page | `a_poisoned_number_is_told_and_leads_no_cursor_astray` |
//! | `bad_time` | `each_fault_has_its_own_reason` |
//! | `cid_mismatch` | `each_fault_has_its_own_reason` |
//! | `genesis_mismatch` | `each_fault_has_its_own_reason` |
//! | `op_too_large` | `each_fault_has_its_own_reason` |
//! | `rate_limited` | `hostile_mirrors_change_no_figure_of_another_and_cost_little` |
//! | text of the page | `a_poisoned_number_is_told_and_leads_no_cursor_astray` |
//! | close reasons | `a_cursor_that_is_refused_is_told_with_its_number` |
//! | dns | `what_a_name_server_says_has_its_words` |
//! | tcp refused | `names_without_an_address_and_ports_without_a_listener_read_as_documented` |
//! | tls expired | `a_certificate_that_expired_is_told_with_its_day` |
//! | http 404 | `http_answers_before_the_upgrade_keep_status_and_retry_after` |
//! | http 429 | `http_answers_before_the_upgrade_keep_status_and_retry_after` |
//! | ws silent | `links_that_go_silent_are_noticed_and_blame_nobody` |
//!
//! Requests:
//!
//! | row | test |
//! |---|---|
//! | window | `every_documented_refusal_has_its_words` |
//! | unknown parameter | `every_documented_refusal_has_its_words` |
//! | repeated parameter | `every_documented_refusal_has_its_words` |
//! | limit | `every_documented_refusal_has_its_words` |
//! | page token | `every_documented_refusal_has_its_words` |
//! | DID | `every_documented_refusal_has_its_words` |
//! | unknown mirror | `every_documented_refusal_has_its_words` |
//! | wrong method | `methods_other_than_reading_are_refused_with_the_list` |
//! | not acceptable | `what_cannot_be_offered_or_taken_is_refused` |
//! | body | `every_documented_refusal_has_its_words` |
//! | URI or head too long | `limits_are_kept_to_the_byte_and_before_the_head_is_whole` |
//! | slow head | `a_slow_head_is_408_be_it_the_first_or_the_second` |
//! | wrong host | `hosts_origins_and_proxies_follow_the_settings` |
//! | rate | `details_are_limited_per_client_and_pages_are_not` |
//! | no data yet | `a_primary_that_is_down_from_the_beginning_is_waited_for` |
//! | store degraded | `a_full_disk_is_told_and_measuring_goes_on` |
//! | overload | `different_questions_run_two_at_a_time_and_the_queue_is_bounded` |
//! | internal | `an_answer_that_panics_is_an_error_with_a_number_and_the_others_go_on` |
//! | socket: origin | `a_page_of_another_origin_is_refused_where_not_all_may_read` |
//! | socket: limit | `sockets_are_limited_in_all_and_per_client` |
//! | socket: bad message | `what_is_not_understood_ends_the_socket` |
//! | socket: slow | `a_batch_that_is_not_taken_ends_the_socket` |
//! | socket: shutdown | `hello_then_notices_then_the_reason_for_the_end` |
//! | operator's token | `the_operator_alone_may_ask_where_visitors_may_not` |
//!
//! Saved state:
//!
//! | row | test |
//! |---|---|
//! | damaged database | `a_damaged_database_is_moved_aside_and_told_everywhere` |
//! | unfinished transaction | `tells_a_crash_from_damage` |
//! | nothing recoverable | `a_damaged_database_is_moved_aside_and_told_everywhere` |
//! | newer schema | `what_cannot_be_used_is_refused_and_left_as_it_is` |
//! | disk full | `a_full_disk_is_told_and_measuring_goes_on` |
//! | read-only, I/O error | `a_file_system_that_turns_read_only_is_told_and_survived` |
//! | I/O error on commit | `writes_that_fail_are_told_and_survived` |
//! | old files | `takes_over_what_it_can_and_names_the_rest` |
//! | foreign files | `what_is_sound_is_taken_as_it_is_and_foreign_files_are_named_once` |

use crate::asvs::every_test;

/// The cells of a table's rows in documentation that begins its lines with `mark`.
fn rows<'a>(text: &'a str, mark: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().filter_map(|line| {
        line.strip_prefix(mark)?.strip_prefix(" | ").or(line.strip_prefix(mark)?.strip_prefix("| "))
    });
    let cells = lines.map(|line| line.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    cells.filter(|cells| cells.last().is_some_and(|cell| cell.starts_with('`'))).collect()
}

#[test]
fn every_row_of_bad_input_has_a_test_that_exists() {
    let (rows, found) = (rows(include_str!("promises.rs"), "//! "), every_test());
    assert!(rows.len() >= 85, "{} rows", rows.len());
    for row in rows {
        let test = row[1].trim_matches('`');
        assert!(row.len() == 2 && found.contains(test), "{}: there is no test {test}", row[0]);
    }
}

#[test]
fn every_promise_has_tests_that_exist() {
    let (rows, found) = (rows(include_str!("../../src/lib.rs"), "//! "), every_test());
    let numbers: Vec<_> = rows.iter().map(|row| row[0].parse::<usize>().unwrap()).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>(), "the promises in their order");
    for row in rows {
        for test in row[2].split(", ") {
            assert!(found.contains(test.trim_matches('`')), "{}: there is no test {test}", row[1]);
        }
    }
}
