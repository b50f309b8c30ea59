// Locks runs a job that exactly one of three processes may do:
//
//	go run ./demo/locks
//
// The processes are this program, started three times. All want the same lock; whoever
// holds it writes lines into a ledger, which lives in this process and refuses fencing
// tokens lower than one that it has seen. Then the holder is killed with SIGKILL,
// another one takes over with a higher token, and a write of the dead one that arrives
// late is refused; and at last the lock is handed over to the third. It exits with 1 if
// anything of that does not hold. All files lie in a temporary folder; with -v the
// nodes' logs are shown.
package main
