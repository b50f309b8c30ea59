package actor_test

import (
	"testing"

	"github.com/troupe-go/troupe/actor"
)

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	type letter struct {
		From actor.Ref[Lab]
		Text string
	}
	system := newSystem(t, actor.WithNode("n"))
	ref := spawn(t, system, script{})
	data, contentType := encode(t, system, letter{ref, "hi"})
	var read letter
	if err := system.Decode(contentType, data, &read); err != nil || read.From != ref || read.Text != "hi" {
		t.Errorf("%+v, %v", read, err)
	}
	for what, err := range map[string]error{
		"content type": system.Decode("text/plain", data, &read),
		"payload":      system.Decode(contentType, data[1:], &read),
		"target":       system.Decode(contentType, data, nil),
	} {
		t.Run(what, func(t *testing.T) { codeIs(t, err, actor.InvalidArgument) })
	}
}
