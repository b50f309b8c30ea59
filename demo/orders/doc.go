// Orders publishes the orders of a shop to a durable topic, whose events no crash loses:
//
//	go run ./demo/orders
//
// The shop is this process. It starts itself three times again: two processes share the
// work of the group billing, and one is the group shipping. All tell a ledger in this
// process what they handle. An order that cannot be billed ends among the dead letters;
// then a process of billing is killed with SIGKILL in the middle of its work, and the
// other one takes over what it had; and at last a group that was not there before gets
// everything again, from the start. It exits with 1 if anything of that does not hold. All
// files lie in a temporary folder; with -v the nodes' logs are shown.
package main
