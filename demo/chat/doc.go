// Chat keeps rooms that outlive the processes they run in:
//
//	go run ./demo/chat
//
// Rooms are virtual actors: nobody starts one, and each runs in one of three processes.
// What is said there is kept in the store that the nodes have in common. Six people in
// this process talk in three rooms. One of the processes is killed with SIGKILL and
// started again, another one leaves; the rooms go on elsewhere, with their history. At
// the end everything that was acknowledged must be there, once and in order, and no room may
// have run in two places at a time. It exits with 1 if that does not hold. All files lie
// in a temporary folder; with -v the nodes' logs are shown.
package main
