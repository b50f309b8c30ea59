// Package e2e tests nodes as users run them: as processes of their own, on real
// sockets, some of them in Linux network namespaces that can be cut off from each
// other. It has no code besides its tests.
//
// The test binary starts itself again as a node, and tells it what to do by lines
// on its standard input; see child_test.go. Namespaces need root, Linux and the
// programs ip and iptables. Where these are missing, the tests that need them are
// skipped, or fail if TROUPE_REQUIRE_NETNS is 1.
package e2e
