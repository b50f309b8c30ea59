// Tour shows what a cluster does, step by step, with what was measured:
//
//	go run ./demo/tour
//
// It starts three node processes on this host, which are this program again, joins
// them as a fourth node, and lets them form a cluster, share calls, keep order,
// refuse strangers, lose one of them to SIGKILL, take it back, and let one go. It
// exits with 1 if a step did not hold. The nodes live in a temporary folder of
// their own, so that they never meet other nodes of the user, and nothing is left
// behind. With -v the nodes' logs are shown.
package main
