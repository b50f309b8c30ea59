// Settings changes how two running services behave, without a restart:
//
//	go run ./demo/settings
//
// The services are two shops, in processes of their own. Their settings come from a
// file and, over that, from the cluster. This process edits the file, and changes the
// settings of the cluster; the shops follow. It makes mistakes, too: one in the file,
// which the shops refuse, and go on with what they had; and one in the cluster, which
// reaches nobody, and is then taken back in time with a roll-back. At last it edits the
// settings of the nodes themselves. It exits with 1 if anything of that does not hold.
// All files lie in a temporary folder; with -v the nodes' logs are shown.
package main
