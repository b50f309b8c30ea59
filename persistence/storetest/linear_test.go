package storetest

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// TestModelAcceptsOnlyWhatOneStoreWouldDo has histories of one write, and of what others
// see meanwhile and afterwards.
func TestModelAcceptsOnlyWhatOneStoreWouldDo(t *testing.T) {
	whatever := [linearKeys]int64{-1, -1, -1}
	none := [linearKeys]int64{0, -1, -1}
	write := porcupine.Operation{ClientId: 0, Input: operation{expect: whatever, write: [linearKeys]int{7}}, Call: 0, Output: outcome{revision: 1}, Return: 10}
	swap := func(result outcome) porcupine.Operation {
		return porcupine.Operation{ClientId: 1, Input: operation{expect: none, write: [linearKeys]int{8}}, Call: 20, Output: result, Return: 30}
	}
	read := func(from int64, result outcome) porcupine.Operation {
		return porcupine.Operation{ClientId: 2, Input: operation{read: true}, Call: from, Output: result, Return: from + 1}
	}
	for _, test := range []struct {
		name    string
		history []porcupine.Operation
		want    bool
	}{
		{"read of the old during the write", []porcupine.Operation{write, read(5, outcome{})}, true},
		{"read of the new during the write", []porcupine.Operation{write, read(5, outcome{1, 7})}, true},
		{"stale read", []porcupine.Operation{write, read(11, outcome{})}, false},
		{"read of what was never written", []porcupine.Operation{write, read(11, outcome{1, 8})}, false},
		{"new, then old", []porcupine.Operation{write, read(3, outcome{1, 7}), read(5, outcome{})}, false},
		{"swap that conflicts", []porcupine.Operation{write, swap(outcome{})}, true},
		{"swap that should conflict", []porcupine.Operation{write, swap(outcome{revision: 2})}, false},
		{"lost write", []porcupine.Operation{write, swap(outcome{}), read(31, outcome{2, 8})}, false},
	} {
		if got := porcupine.CheckOperations(model(0), test.history); got != test.want {
			t.Errorf("%s: linearizable is %t, want %t", test.name, got, test.want)
		}
	}
}
