//! The items of OWASP ASVS 5.0 that apply, each beside the test that fails when it is broken.
//!
//! | item | what | test |
//! |---|---|---|
//! | 1.2.1 | output in HTML | `the_first_snapshot_is_in_the_document_and_cannot_leave_its_block` |
//! | 1.2.2 | addresses of data | `the_page_shows_the_numbers_of_the_api` |
//! | 1.2.3 | output in scripts | `the_first_snapshot_is_in_the_document_and_cannot_leave_its_block` |
//! | 1.2.10 | formulas in CSV | `no_field_is_a_formula_or_ends_early` |
//! | 1.3.6 | requests forged by the server | `no_spelling_of_a_private_address_is_dialled_without_leave` |
//! | 1.3.12 | expressions that take for ever | `what_may_not_be_in_the_tree_is_not` |
//! | 1.4.2 | range of integers | `every_wrong_value_has_its_code` |
//! | 1.5.2 | reading of foreign data | `each_fault_has_its_own_reason` |
//! | 1.5.3 | parsers of one format agree | `the_fixed_layout_agrees_with_the_full_reader` |
//! | 2.1.1 | rules of validation written down | `the_example_shows_every_key_with_a_comment_and_its_default` |
//! | 2.1.3 | limits written down | `the_example_shows_every_key_with_a_comment_and_its_default` |
//! | 2.2.1 | validation by what is allowed | `every_wrong_question_has_its_answer` |
//! | 2.2.2 | validation at the server | `only_the_exact_form_is_a_did` |
//! | 2.2.3 | values that fit together | `every_mistake_in_the_file_gets_its_one_line` |
//! | 2.4.1 | automation | `details_are_limited_per_client_and_pages_are_not` |
//! | 3.2.1 | content in its context | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 3.2.2 | text as text | `the_page_shows_the_numbers_of_the_api` |
//! | 3.4.1 | HSTS | `hosts_origins_and_proxies_follow_the_settings` |
//! | 3.4.2 | CORS | `hosts_origins_and_proxies_follow_the_settings` |
//! | 3.4.3 | CSP | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 3.4.4 | nosniff | `what_is_not_modified_has_the_headers_too` |
//! | 3.4.5 | referrer | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 3.4.6 | frame-ancestors | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 3.5.1 | requests of other sites | `the_operator_alone_may_ask_where_visitors_may_not` |
//! | 3.5.2 | preflights | `methods_other_than_reading_are_refused_with_the_list` |
//! | 3.5.3 | safe methods | `methods_other_than_reading_are_refused_with_the_list` |
//! | 4.1.1 | media types | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 4.1.3 | headers of proxies | `only_trusted_proxies_are_believed_and_only_from_the_right` |
//! | 4.1.4 | methods | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 4.2.1 | smuggling | `a_body_ends_where_its_head_says_and_the_next_head_begins_there` |
//! | 4.4.1 | encrypted sockets to sources | `addresses_are_judged_with_the_permissions_of_their_source` |
//! | 4.4.2 | origin of sockets | `a_page_of_another_origin_is_refused_where_not_all_may_read` |
//! | 4.4.3 | sockets have no session: they tell public revisions alone | `hello_then_notices_then_the_reason_for_the_end` |
//! | 4.4.4 | what a socket takes | `what_is_not_understood_ends_the_socket` |
//! | 13.1.2 | limits of connections | `an_address_has_so_many_connections_and_no_more` |
//! | 13.1.3 | time-outs and retries | `a_handshake_that_hangs_ends_with_the_name_of_its_part` |
//! | 13.2.4 | whom we may call | `no_spelling_of_a_private_address_is_taken_without_leave` |
//! | 13.2.5 | where a call may lead | `a_name_that_changes_its_mind_leads_nowhere` |
//! | 13.3.1 | secrets | `a_token_that_is_short_or_lies_open_is_refused_and_never_shown` |
//! | 13.4.2 | nothing of debugging | `every_wrong_question_has_its_answer` |
//! | 13.4.3 | no listing of directories | `what_is_not_embedded_is_not_there` |
//! | 13.4.4 | TRACE | `every_answer_of_every_address_to_every_method_has_the_headers` |
//! | 13.4.5 | nothing internal in public | `a_real_server_answers_head_and_stops_when_told` |
//! | 13.4.6 | no version in a header | `what_is_no_request_is_refused_with_words_and_headers` |
//! | 15.1.2 | bill of materials | `the_bill_of_materials_names_every_part` |
//! | 15.1.3 | what costs much | `a_flood_of_details_neither_multiplies_work_nor_stalls_pages` |
//! | 15.2.2 | what costs much is bounded | `different_questions_run_two_at_a_time_and_the_queue_is_bounded` |
//! | 15.2.4 | where parts come from | `what_may_not_be_in_the_tree_is_not` |
//! | 15.3.2 | redirects | `a_redirect_leads_nowhere` |
//! | 15.3.4 | the client's address | `only_trusted_proxies_are_believed_and_only_from_the_right` |
//! | 15.3.5 | types | `every_wrong_value_has_its_code` |
//! | 15.3.6 | prototype pollution | `the_page_shows_the_numbers_of_the_api` |
//! | 15.3.7 | repeated parameters | `what_is_wrong_is_named` |
//! | 15.4.1 | shared state | `a_state_comes_back_and_is_removed` |
//! | 15.4.2 | check and use at once | `a_second_instance_is_refused_while_the_first_runs` |
//! | 15.4.3 | no waiting in a circle | `actors_hold_recipients_never_addresses_of_each_other` |
//! | 15.4.4 | starvation | `a_thousand_live_sockets_hear_of_changes_whoever_else_does_not_read` |
//! | 16.2.1 | what a line of the log says | `the_log_is_one_object_a_line_whatever_others_say` |
//! | 16.2.2 | its time | `the_log_is_one_object_a_line_whatever_others_say` |
//! | 16.2.4 | its form | `the_log_is_one_object_a_line_whatever_others_say` |
//! | 16.2.5 | no secret in it | `the_log_is_one_object_a_line_whatever_others_say` |
//! | 16.4.1 | no forged line in it | `foreign_text_is_escaped_and_capped` |
//! | 16.5.1 | errors without insides | `every_wrong_question_has_its_answer` |
//! | 16.5.2 | going on when something else fails | `a_full_disk_is_told_and_measuring_goes_on` |
//! | 16.5.3 | failing closed | `private_addresses_need_leave_and_names_cannot_hide_them` |
//! | 16.5.4 | the last resort | `a_panic_is_an_error_and_the_next_question_is_answered` |

use std::collections::BTreeSet;
use std::path::Path;

/// The rows of the table above: item and test.
fn rows() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("asvs.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = lines.map(|line| line.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    cells
        .filter(|cells| cells[0].starts_with(|c: char| c.is_ascii_digit()))
        .map(|cells| (cells[0], cells[2].trim_matches('`')))
        .collect()
}

/// The names of all tests in the sources below `dir`: what stands behind a line that makes it one.
fn tests(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("test]\n") {
                let name = text[at..].split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                found.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// The names of all tests that there are.
pub fn every_test() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    tests(&root.join("src"), &mut found);
    tests(&root.join("tests"), &mut found);
    found
}

#[test]
fn every_item_has_a_test_that_exists() {
    let (rows, found) = (rows(), every_test());
    let items: BTreeSet<&str> = rows.iter().map(|(item, _)| *item).collect();
    assert!(rows.len() >= 60 && items.len() == rows.len(), "{} rows", rows.len());
    for (item, test) in rows {
        assert!(found.contains(test), "{item}: there is no test {test}");
    }
}
