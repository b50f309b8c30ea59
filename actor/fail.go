package actor

// Fail ends the handler at once and lets the actor fail with err, because what it
// holds in memory can no longer be trusted: supervision decides what becomes of
// it. Whoever asked gets err's code and reason, where a panic would be Internal.
// Fail does not return. Call it from the actor only.
func (c *Context) Fail(err error) {
	if err == nil {
		err = Errorf(Internal, "Fail was called without an error")
	}
	panic(failure{AsError(err)})
}

// failure is that of an actor which says itself why: by Fail, or by an error of
// Started.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// crashed returns what the caller gets when the actor failed on its message.
func (c *cell) crashed(value any) *Error {
	f, planned := value.(failure)
	if !planned {
		return &Error{Code: Internal, Message: "the actor " + c.String() + " crashed on this message: " + describe(value)}
	}
	err := AsError(f.error)
	return &Error{Code: err.Code, Reason: err.Reason, Message: "the actor " + c.String() + " failed on this message: " + err.Message, cause: f.error}
}
