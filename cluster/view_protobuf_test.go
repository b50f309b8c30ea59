package cluster_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster/clustertest"
	"github.com/troupe-go/troupe/persistence"
)

// shelf holds protobuf messages as parts.
type shelf struct {
	Item  *structpb.Value
	Items map[string]*structpb.Value
}

func roundTrip[T any](t *testing.T, v *persistence.View[T], want T) T {
	t.Helper()
	if _, err := v.Put(t.Context(), "k", want); err != nil {
		t.Fatalf("%T: %v", want, err)
	}
	got, err := v.Get(t.Context(), "k")
	if err != nil {
		t.Fatalf("%T: %v", want, err)
	}
	return got.Value
}

func TestViewOfProtobufMessages(t *testing.T) {
	clustertest.Run(t, 1, viewProtobufMessages)
}

func viewProtobufMessages(t *testing.T, c *clustertest.Cluster) {
	s, value := persistence.Namespace(c.Node(0).Store(), "views"), structpb.NewStringValue("x") // a oneof
	messages := persistence.Of[*structpb.Value](s, "message/")
	if got := roundTrip(t, messages, value); !proto.Equal(got, value) {
		t.Errorf("got %v", got)
	}
	if e, _ := messages.Get(t.Context(), "k"); e.Metadata["content-type"] != "application/protobuf" {
		t.Errorf("written as %v", e.Metadata)
	}
	for events, err := range messages.Watch(t.Context(), 0) {
		if err != nil || !proto.Equal(events.Events[0].Value, value) {
			t.Errorf("watched %v, %v", events, err)
		}
		break
	}
	if got := roundTrip(t, persistence.Of[shelf](s, "part/"), shelf{value, map[string]*structpb.Value{"y": value}}); !proto.Equal(got.Item, value) || !proto.Equal(got.Items["y"], value) {
		t.Errorf("got %v", got)
	}
	if got := roundTrip(t, messages.WithCodec(actor.NewMsgPack()), value); !proto.Equal(got, value) {
		t.Errorf("got %v in MessagePack", got)
	}
	if got := roundTrip(t, messages.WithCodec(actor.JSON{}), value); !proto.Equal(got, value) {
		t.Errorf("got %v in JSON", got)
	}
}

// TestViewReadsOldProtobufMessages reads what views wrote as MessagePack.
func TestViewReadsOldProtobufMessages(t *testing.T) {
	clustertest.Run(t, 1, viewOldProtobufMessages)
}

func viewOldProtobufMessages(t *testing.T, c *clustertest.Cluster) {
	s := persistence.Namespace(c.Node(0).Store(), "views")
	put := func(value string) {
		t.Helper()
		_, err := persistence.Put(t.Context(), s, "old", []byte(value), persistence.Metadata(map[string]string{"content-type": "application/msgpack"}))
		if err != nil {
			t.Fatal(err)
		}
	}
	put("\x81\xa4Kind\xc0")
	e, err := persistence.Of[*structpb.Value](s, "").Get(t.Context(), "old")
	if err != nil || e.Value == nil || e.Value.Kind != nil {
		t.Errorf("%v, %v", e, err)
	}
	put("\x81\xa4Item\x81\xa4Kind\xc0")
	if e, err := persistence.Of[shelf](s, "").Get(t.Context(), "old"); err != nil || e.Value.Item == nil {
		t.Errorf("%v, %v", e, err)
	}
}
