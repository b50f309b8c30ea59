// Bank keeps accounts that survive being killed:
//
//	go run ./demo/bank
//
// Each account is an event-sourced actor. They live in a process of their own, which
// keeps their journals on disk. 64 customers in this process transfer money between
// them while the bank is killed with SIGKILL three times, at random moments, and
// started again. At the end every operation that was acknowledged must be there, once,
// and no money may have come or gone. It exits with 1 if that does not hold. All files
// lie in a temporary folder; with -v the nodes' logs are shown.
package main
