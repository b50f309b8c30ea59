package actor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/actor"
)

var errFunds = actor.NewError(actor.FailedPrecondition, "insufficient funds")

func TestHandlerErrorsReachTheCallerWithACode(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	for _, test := range []struct {
		name string
		err  error
		code actor.Code
		is   []error
	}{
		{"a plain error", io.EOF, actor.Unknown, []error{io.EOF, actor.Unknown}},
		{"a sentinel", errFunds, actor.FailedPrecondition, []error{errFunds, actor.FailedPrecondition}},
		{"a wrapped sentinel", fmt.Errorf("account 7: %w", errFunds), actor.FailedPrecondition, []error{errFunds, actor.FailedPrecondition}},
		{"Errorf", actor.Errorf(actor.Aborted, "row 7: %w", io.EOF), actor.Aborted, []error{io.EOF, actor.Aborted}},
		{"Errorf of two", actor.Errorf(actor.Aborted, "%w and %w", io.EOF, io.ErrClosedPipe), actor.Aborted, []error{io.EOF, io.ErrClosedPipe}},
		{"a bare Code", actor.NotFound, actor.NotFound, []error{actor.NotFound}},
		{"a deadline", context.DeadlineExceeded, actor.DeadlineExceeded, []error{context.DeadlineExceeded, actor.DeadlineExceeded}},
		{"a cancel", fmt.Errorf("query: %w", context.Canceled), actor.Canceled, []error{context.Canceled, actor.Canceled}},
		{"joined errors", errors.Join(io.EOF, errFunds), actor.FailedPrecondition, []error{io.EOF, errFunds}},
		{"a nil *Error", (*actor.Error)(nil), actor.Unknown, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply, err := compute(ref, func(*actor.Context) (any, error) { return 1, test.err })
			codeIs(t, err, test.code)
			if reply != nil {
				t.Error("a failed request has no reply, got", reply)
			}
			for _, target := range test.is {
				if !errors.Is(err, target) {
					t.Errorf("errors.Is(%v, %v) is false", err, target)
				}
			}
		})
	}
}

func TestNotRunIsNotPassedOn(t *testing.T) {
	ref := spawn(t, newSystem(t), script{})
	inner := &actor.Error{Code: actor.Unavailable, Message: "inner", NotRun: true}
	for name, err := range map[string]error{"as it is": inner, "wrapped": fmt.Errorf("outer: %w", inner)} {
		t.Run(name, func(t *testing.T) {
			_, got := compute(ref, func(*actor.Context) (any, error) { return nil, err })
			if e := codeIs(t, got, actor.Unavailable); e.NotRun {
				t.Error("the handler has run: sending the request again could do it twice")
			}
			if !errors.Is(got, err) {
				t.Error("the error of the handler is lost")
			}
		})
	}
}

func TestErrorSurvivesAsValue(t *testing.T) {
	remote := &actor.Error{Code: errFunds.Code, Reason: errFunds.Reason, Message: "from far away"}
	if !errors.Is(remote, errFunds) {
		t.Error("an error rebuilt from code and reason must match its sentinel")
	}
	if errors.Is(remote, actor.NewError(actor.Aborted, errFunds.Reason)) {
		t.Error("another code is another error")
	}
	if errors.Is(&actor.Error{Code: actor.Aborted}, actor.NewError(actor.Aborted, "")) {
		t.Error("errors without a reason are not recognised")
	}
	if got := errors.Unwrap(actor.Errorf(actor.Aborted, "alone")); got != nil {
		t.Error("nothing was wrapped, got", got)
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		code actor.Code
	}{
		{nil, actor.OK},
		{io.EOF, actor.Unknown},
		{actor.Aborted, actor.Aborted},
		{fmt.Errorf("x: %w", actor.DataLoss), actor.DataLoss},
		{errFunds, actor.FailedPrecondition},
		{(*actor.Error)(nil), actor.Unknown},
		{context.DeadlineExceeded, actor.DeadlineExceeded},
		{context.Canceled, actor.Canceled},
	} {
		if got := actor.CodeOf(test.err); got != test.code {
			t.Errorf("CodeOf(%#v) = %v, want %v", test.err, got, test.code)
		}
	}
}

func TestEveryCodeHasAName(t *testing.T) {
	for c := actor.OK; c <= actor.Unauthenticated; c++ {
		if strings.HasPrefix(c.String(), "code ") {
			t.Errorf("code %d has no name", uint32(c))
		}
	}
	if got := actor.Code(99).Error(); got != "code 99" {
		t.Error(got)
	}
}

func TestAsError(t *testing.T) {
	if actor.AsError(nil) != nil {
		t.Error("nil is no error")
	}
	if actor.AsError(errFunds) != errFunds {
		t.Error("an Error is kept as it is")
	}
	inner := &actor.Error{Code: actor.Unavailable, Reason: "r", NotRun: true}
	got := actor.AsError(fmt.Errorf("outer: %w", inner))
	if got.Code != actor.Unavailable || got.Reason != "r" || !got.NotRun || got.Error() != "unavailable: outer: unavailable" {
		t.Errorf("%+v", got)
	}
}
