// Package cluster joins processes into a cluster of nodes, whose actors exchange
// typed messages by name, wherever they run.
//
// [Join] starts a [Node]: it listens on one port, finds its peers by itself, and
// runs actors that [Node.Serve] offers to all nodes as services. [Service] returns
// a reference to every instance of a service, and actor.Ask and actor.Tell send
// through it. [Node.Leave] withdraws all of that.
//
// # Finding peers
//
// Without any configuration a node meets the other processes of its user on its
// host: through a folder, over loopback, and with a secret that is made once. With
// a secret ([WithSecret]) it listens on the network and finds the nodes that have
// the same one by mDNS, by seeds, or by DNS. Nodes that were cut off are looked for
// until they are back. Other ways plug in as a [Discovery].
//
// All connections are TLS 1.3 with certificates on both sides, and packets are
// encrypted; there is no plaintext mode. Clusters with different names or secrets
// never mix, also on one network.
//
// # Guarantees
//
//   - Messages from one sender to one actor arrive in order and at most once, also
//     across a broken connection.
//   - A call ends: with a reply, or with an *actor.Error. It ends with Unavailable
//     as soon as its node is known to be lost, without waiting for the deadline.
//     A message that was told and is lost becomes a dead letter.
//   - A service retries on another instance what surely was not handled, and what
//     is marked with actor.Idempotent; nothing else is sent twice.
//   - A node that leaves is known to have left within a second and handles what it
//     has; a crash is noticed within the time that [Timing] says, and costs only
//     what was in flight.
//   - Membership and services are gossip: two nodes may see different things for a
//     moment, and both sides of a partition go on with what they see.
//   - One live node has a name: of two, the later leaves, and [Node.Err] says why.
//
// # Settings
//
// Options win over these variables, and [FromSettings] takes their place:
//
//	TROUPE_CLUSTER       name of the cluster; see WithCluster
//	TROUPE_NAME          name of the node; see WithName
//	TROUPE_SECRET        the secret the nodes share; see WithSecret
//	TROUPE_CERTIFICATES_CA, TROUPE_CERTIFICATES_CERTIFICATE, TROUPE_CERTIFICATES_KEY
//	                     files with a certificate of the node; see Certificates
//	TROUPE_LISTEN        the address to listen on; see WithListen
//	TROUPE_ADVERTISE     the address others reach it at; see WithAdvertise
//	TROUPE_SEEDS         addresses to contact first, separated by commas; see WithSeeds
//	TROUPE_DNS           a name to look up for such addresses; see WithDNS
//	TROUPE_STATE_DIR     what is kept between runs; see WithStateDir
//	TROUPE_TIMING        local, lan or wan; see WithTiming
//	TROUPE_VOTERS        how many keep the replicated store; see WithVoters
//	TROUPE_EXPECT        how many found it; see WithExpect
//	TROUPE_MAX_MESSAGE   the largest message, such as 4MiB; see WithMaxMessage
//	TROUPE_LOG_LEVEL     the least level to log; see Config
//
// Package clustertest runs whole clusters in one test, on a network in memory.
package cluster
