// Package wire writes and reads the frames that nodes exchange, in the protobuf
// encoding of package wirepb, without allocating for each message.
//
// There are two forms of an envelope. A sender has strings: an [Envelope],
// written by [AppendEnvelope]. A receiver has a frame's bytes: a [Frame] walks
// over it and fills a [View], whose slices point into the frame, so that a
// receiver looks its names up with m[string(view.To)] and copies nothing.
package wire
