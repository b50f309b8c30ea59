// Package clustertest tests what runs on a cluster, in one process and without a
// real network.
//
// A [Network] connects hosts in memory. It can be partitioned, cut in one
// direction, slowed down and made to lose packets; its hosts can crash and
// freeze. In a testing/synctest bubble all of this happens in virtual time: a
// test of a minute of failure detection takes milliseconds.
package clustertest
