package actor

import "log/slog"

// LocalOnly says that the actors of a definition are met on their own node alone, so that
// their messages and replies may hold what cannot travel, such as a func or an unexported
// field. Nothing of them leaves the node: they cannot be served, encoding a message with
// their Ref is an error, and messages and watches from other nodes fail with
// FailedPrecondition. They may themselves send to other nodes.
//
// Without it all messages and replies of a definition must be able to travel; see
// [Codecs.For].
func LocalOnly() DefineOption {
	return defineOption(func(d *definition) { d.localOnly = true })
}

// LocalOnly reports whether a is an actor of this process that was defined as [LocalOnly].
func (a Address) LocalOnly() bool {
	c, ok := a.recipient.(*cell)
	return ok && c.def.localOnly
}

// CheckTravel returns an error if d could not be met from other nodes: it names the message
// or reply that could not travel, and the part of it, or says that d is [LocalOnly].
func (s *System) CheckTravel(d Spawnable) error {
	def, err := d.definition()
	switch {
	case err != nil:
		return err
	case def.localOnly:
		return Errorf(InvalidArgument, "actor %q is met on its own node only: it cannot be offered to others while its definition says actor.LocalOnly()", def.name)
	}
	return s.checkTable(def.name, def.table)
}

// checkTable returns an error that names the first message, in order of names, that could
// not travel, or whose reply could not.
func (s *System) checkTable(actor string, t *table) error {
	var unfit error
	var first string
	for name, e := range t.byName {
		for _, of := range e.travels {
			if _, err := s.codecs.For(of); err != nil && (unfit == nil || name < first) {
				unfit, first = err, name
			}
		}
	}
	if unfit == nil {
		return nil
	}
	return Errorf(InvalidArgument, "actor %q: the handler for %s: %s; an actor that is met on its own node only may say so: add actor.LocalOnly() to its definition",
		actor, first, AsError(unfit).Message)
}

// LogValue returns the path, also of a [LocalOnly] actor.
func (r Ref[P]) LogValue() slog.Value { return slog.StringValue(r.String()) }

// LogValue returns the path; see [Ref.LogValue].
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }
