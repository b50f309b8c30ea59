package wire

import "google.golang.org/protobuf/encoding/protowire"

// tagSize is the length of a tag: every field number is below 16.
const tagSize = 1

// Size returns the number of bytes that [AppendEnvelope] adds for e.
func Size(e *Envelope) int {
	body := bodySize(e)
	return tagSize + protowire.SizeVarint(uint64(body)) + body
}

// AppendEnvelope appends e to the frame dst and returns the longer frame.
func AppendEnvelope(dst []byte, e *Envelope) []byte {
	dst = appendTag(dst, frameEnvelopes, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(bodySize(e)))
	dst = appendVarint(dst, fieldKind, uint64(e.Kind))
	dst = appendVarint(dst, fieldID, e.ID)
	dst = appendString(dst, fieldTo, e.To)
	if e.UID != 0 {
		dst = appendTag(dst, fieldUID, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, e.UID)
	}
	dst = appendString(dst, fieldFrom, e.From)
	dst = appendString(dst, fieldMessage, e.Message)
	dst = appendString(dst, fieldContentType, e.ContentType)
	dst = appendBytes(dst, fieldPayload, e.Payload)
	dst = appendVarint(dst, fieldTimeout, e.Timeout)
	dst = appendVarint(dst, fieldCode, uint64(e.Code))
	dst = appendString(dst, fieldReason, e.Reason)
	dst = appendString(dst, fieldText, e.Text)
	dst = appendVarint(dst, fieldNotRun, protowire.EncodeBool(e.NotRun))
	dst = appendBytes(dst, fieldChain, e.Chain)
	return appendVarint(dst, fieldTotal, e.Total)
}

// AppendAcked appends to the frame dst the running total of envelopes taken, and
// returns the longer frame. It adds at most 11 bytes.
func AppendAcked(dst []byte, total uint64) []byte {
	return appendVarint(dst, frameAcked, total)
}

func bodySize(e *Envelope) int {
	n := sizeVarint(uint64(e.Kind)) + sizeVarint(e.ID) +
		sizeBytes(len(e.To)) + sizeBytes(len(e.From)) + sizeBytes(len(e.Message)) +
		sizeBytes(len(e.ContentType)) + sizeBytes(len(e.Payload)) +
		sizeVarint(e.Timeout) + sizeVarint(uint64(e.Code)) +
		sizeBytes(len(e.Reason)) + sizeBytes(len(e.Text)) + sizeBytes(len(e.Chain)) + sizeVarint(e.Total)
	if e.UID != 0 {
		n += tagSize + 8
	}
	if e.NotRun {
		n += tagSize + 1
	}
	return n
}

func sizeVarint(v uint64) int {
	if v == 0 {
		return 0
	}
	return tagSize + protowire.SizeVarint(v)
}

func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return tagSize + protowire.SizeVarint(uint64(n)) + n
}

func appendTag(dst []byte, field protowire.Number, typ protowire.Type) []byte {
	return append(dst, byte(field)<<3|byte(typ))
}

func appendVarint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(appendTag(dst, field, protowire.VarintType), v)
}

func appendString(dst []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(appendTag(dst, field, protowire.BytesType), s)
}

func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return protowire.AppendBytes(appendTag(dst, field, protowire.BytesType), b)
}
