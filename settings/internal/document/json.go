package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// jsonReader reads tokens, since they have positions.
type jsonReader struct {
	*json.Decoder
	content []byte
	seen    int // bytes whose lines are counted
	line    int // of that place, from 0
}

func parseJSON(g *Grower, content []byte) (*Node, error) {
	r := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(content)), content: content}
	r.UseNumber()
	g.lines = func([]string) int { return r.position() }
	root, err := r.value(g, "")
	if err != nil {
		return nil, r.describe(err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, &Malformed{Line: r.position(), Message: "there is something behind the end of the JSON document: remove it"}
	}
	return root, nil
}

// position returns the line of the last token. It is called with growing offsets.
func (r *jsonReader) position() int {
	if end := int(r.InputOffset()); end > r.seen {
		r.line += bytes.Count(r.content[r.seen:end], []byte("\n"))
		r.seen = end
	}
	return r.line + 1
}

func (r *jsonReader) describe(err error) error {
	if _, ok := errors.AsType[*Malformed](err); ok || errors.Is(err, ErrLimit) {
		return err
	}
	line := r.position()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line = 1 + bytes.Count(r.content[:min(int(syntax.Offset), len(r.content))], []byte("\n"))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
		line = 1 + bytes.Count(bytes.TrimRight(r.content, "\n"), []byte("\n"))
	}
	return &Malformed{Line: line, Message: "this is not JSON: " + err.Error()}
}

func (r *jsonReader) value(g *Grower, segment string) (*Node, error) {
	if err := g.enter(segment); err != nil {
		return nil, err
	}
	defer g.leave()
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		return g.node(Text, t), nil
	case bool:
		return g.node(Boolean, strconv.FormatBool(t)), nil
	case json.Number:
		return g.node(Number, t.String()), nil
	case json.Delim:
		if t == '[' {
			return r.array(g)
		}
		return r.object(g)
	}
	return g.node(Null, ""), nil
}

func (r *jsonReader) array(g *Grower) (*Node, error) {
	n := g.node(List, "")
	for r.More() {
		item, err := r.value(g, strconv.Itoa(len(n.Items)))
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	_, err := r.Token()
	return n, err
}

func (r *jsonReader) object(g *Grower) (*Node, error) {
	n := g.node(Table, "")
	n.Fields = make(map[string]*Node)
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no key", token)
		}
		line := r.position()
		if first, there := n.Fields[key]; there {
			return nil, twice(key, line, first.Line)
		}
		field, err := r.value(g, key)
		if err != nil {
			return nil, err
		}
		field.Line = line
		n.Fields[key] = field
	}
	_, err := r.Token()
	return n, err
}
