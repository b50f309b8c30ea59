package actor_test

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/actor"
)

// ticket is a message of the usual size.
type ticket struct {
	actor.Call[Lab, int]
	ID     string
	From   string
	Amount int64
	Rate   float64
	Open   bool
	At     time.Time
	Tags   []string
	Seats  []int
	Places map[string]int
	Lines  []ticketLine
}

type ticketLine struct {
	Item  string
	Count int
	Cents int64
}

func newTicket() ticket {
	return ticket{
		ID: "t-184467", From: "a traveller", Amount: 12_345_678, Rate: 0.19, Open: true, At: time.Unix(1_700_000_000, 5).UTC(),
		Tags: []string{"night", "window"}, Seats: []int{1, 200, 70_000}, Places: map[string]int{"a": 1, "b": 2},
		Lines: []ticketLine{{"seat", 2, 5_000}, {"bicycle", 1, 900}, {"meal", 2, 2_550}},
	}
}

func benchmarkDecode(b *testing.B, codec actor.Codec, message any, target func() any) {
	data, err := codec.Append(nil, message)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := codec.Decode(data, target()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	inJSON, err := actor.NewCodecs(nil).Named("application/json") // which keeps what it finds out about types
	if err != nil {
		b.Fatal(err)
	}
	small := ticketLine{"seat", 2, 5_000}
	for name, codec := range map[string]actor.Codec{"MsgPack": actor.NewMsgPack(), "JSON": inJSON} {
		b.Run(name+"/small", func(b *testing.B) {
			benchmarkDecode(b, codec, small, func() any { return new(ticketLine) })
		})
		b.Run(name+"/usual", func(b *testing.B) {
			benchmarkDecode(b, codec, newTicket(), func() any { return new(ticket) })
		})
		b.Run(name+"/list", func(b *testing.B) {
			benchmarkDecode(b, codec, make([]int, 1000), func() any { return new([]int) })
		})
		b.Run(name+"/any", func(b *testing.B) {
			benchmarkDecode(b, codec, map[string]any{"a": []any{"b", int64(1)}, "c": 2.5}, func() any { return new(any) })
		})
	}
}
