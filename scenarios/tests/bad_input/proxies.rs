//! The proxy in front of the servers, and its faults.

use insta::assert_snapshot;

use super::scenario;

#[test]
fn a_fault_of_a_proxy_that_is_not_there_is_refused() {
    assert_snapshot!(scenario("[[faults]]\nproxy-restart = { when.at = [\"10m\"] }"), @r#"
    error: there is no proxy in front of the servers
     --> test.toml:7:17
      |
    7 | proxy-restart = { when.at = ["10m"] }
      |                 ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: say which, as in proxy = "nginx", or take a fault of a server
    "#);
}

#[test]
fn a_timer_that_another_one_is_always_ahead_of_is_refused() {
    assert_snapshot!(scenario(r#"proxy = { client_idle = "50s", server_idle = "1m", idle = "1h" }"#), @r#"
    error: whoever is silent for 50s is ended by `client_idle` before both have been for 1h
     --> test.toml:6:59
      |
    6 | proxy = { client_idle = "50s", server_idle = "1m", idle = "1h" }
      |                                                           ^^^^
      |
      = help: use less than "50s", or leave one of them out
    "#);
}

#[test]
fn connections_that_end_as_soon_as_they_begin_are_refused() {
    assert_snapshot!(scenario(r#"proxy = { idle = "500ms", max_age = "100ms" }"#), @r#"
    error: a connection may end after 500ms
     --> test.toml:6:18
      |
    6 | proxy = { idle = "500ms", max_age = "100ms" }
      |                  ^^^^^^^
      |
      = help: let it live for at least "1s"

    error: a connection may end after 100ms
     --> test.toml:6:37
      |
    6 | proxy = { idle = "500ms", max_age = "100ms" }
      |                                     ^^^^^^^
      |
      = help: let it live for at least "1s"
    "#);
}

#[test]
fn an_unknown_proxy_suggests_the_nearest() {
    assert_snapshot!(scenario(r#"proxy = "ngnix""#), @r#"
    error: unknown name `ngnix`
     --> test.toml:6:9
      |
    6 | proxy = "ngnix"
      |         ^^^^^^^
      |
      = help: did you mean `nginx`? possible here are: `aws-alb`, `aws-api-gateway`, `cloudflare`, `envoy`, `envoy-tcp`, `gcp-external-lb`, `haproxy`, `haproxy-tunnel`, `heroku`, `nginx`
    "#);
}
