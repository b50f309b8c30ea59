// Package transport carries envelopes between nodes over gRPC. It knows nothing
// of actors.
//
// A [Peer] is the link from this node to one incarnation of another; an
// [Inbound] is a link's other end. The node that sends dials, and the answers
// come back on the same stream: traffic in the other direction has a link of its
// own.
//
// A link has a few lanes, each one gRPC stream, and an envelope's receiver
// chooses its lane: that is what keeps the order between a sender and a
// receiver, also across a reconnect. A sender appends to the lane's queue and
// goes on; one goroutine per lane takes what has gathered there and sends it as
// one frame.
//
// A receiver that is full holds nobody up: its handler keeps what has come for it, see
// [Inbound.Hold], and the sender is told how much more may come. Senders with a context
// wait, see [Peer.TellContext]; others are refused.
//
// Delivery is at most once, and loss is visible. What could not be queued is an
// error of the send. What was queued while no connection could be made fails
// with [NotSent]. What was in flight when a connection broke is [Lost]: calls
// fail, and casts that the receiver has not acknowledged go to [Config.Dropped].
// What was queued behind them goes out on the next connection.
//
// A process that hangs keeps its connections. Calls that may be handled twice, see
// [Peer.CallRepeatable], are given up when nothing has been read from it for a second.
package transport
