// Package discovery finds first contacts: addresses ("host:port") of nodes of a
// cluster. Membership takes over from the first contact on, so an answer here is
// a hint that the caller verifies by connecting, never a statement of who is alive.
//
// Four ways are offered, and several may run at once:
//
//   - [Local]: a rendezvous folder for the processes of one user on one host;
//   - [MDNS]: multicast DNS on the attached networks (RFC 6762, RFC 6763);
//   - [Static]: seed addresses from configuration;
//   - [DNS]: address or service records of a name (RFC 2782).
//
// All of them share one behaviour, checked by package discoverytest: Announce makes
// a node findable until Withdraw, Find lists what is known now without the node's
// own address, and all methods may be called concurrently. Find may return addresses
// together with an error: what it found is usable, the error names what failed.
//
// [ClaimSlot] and [ClaimName] give a process a node name that no other live process
// of the user has. The claim and the rendezvous folder use the same lock, so that
// there is one lock for each name.
package discovery
