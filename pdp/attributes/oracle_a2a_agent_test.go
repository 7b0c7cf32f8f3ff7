package attributes

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/a2aproject/a2a-go/v2/a2a"
)

func (s *a2aServers) hear(method string, params any) error {
	s.heard = &heard{method: method, params: params}
	return errHeard
}

// flow is the stream of a call that is only heard.
func (s *a2aServers) flow(method string, params any) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) { yield(nil, s.hear(method, params)) }
}

// GetTask implements [a2asrv.RequestHandler].
func (s *a2aServers) GetTask(_ context.Context, r *a2a.GetTaskRequest) (*a2a.Task, error) {
	return nil, s.hear("GetTask", r)
}

// ListTasks implements [a2asrv.RequestHandler].
func (s *a2aServers) ListTasks(_ context.Context, r *a2a.ListTasksRequest) (*a2a.ListTasksResponse, error) {
	return nil, s.hear("ListTasks", r)
}

// CancelTask implements [a2asrv.RequestHandler].
func (s *a2aServers) CancelTask(_ context.Context, r *a2a.CancelTaskRequest) (*a2a.Task, error) {
	return nil, s.hear("CancelTask", r)
}

// SendMessage implements [a2asrv.RequestHandler].
func (s *a2aServers) SendMessage(_ context.Context, r *a2a.SendMessageRequest) (a2a.SendMessageResult, error) {
	return nil, s.hear("SendMessage", r)
}

// GetTaskPushConfig implements [a2asrv.RequestHandler].
func (s *a2aServers) GetTaskPushConfig(_ context.Context, r *a2a.GetTaskPushConfigRequest) (*a2a.TaskPushConfig, error) {
	return nil, s.hear("GetTaskPushNotificationConfig", r)
}

// ListTaskPushConfigs implements [a2asrv.RequestHandler].
func (s *a2aServers) ListTaskPushConfigs(_ context.Context, r *a2a.ListTaskPushConfigRequest) ([]*a2a.TaskPushConfig, error) {
	return nil, s.hear("ListTaskPushNotificationConfigs", r)
}

// GetExtendedAgentCard implements [a2asrv.RequestHandler].
func (s *a2aServers) GetExtendedAgentCard(_ context.Context, r *a2a.GetExtendedAgentCardRequest) (*a2a.AgentCard, error) {
	return nil, s.hear("GetExtendedAgentCard", r)
}

// SubscribeToTask implements [a2asrv.RequestHandler].
func (s *a2aServers) SubscribeToTask(_ context.Context, r *a2a.SubscribeToTaskRequest) iter.Seq2[a2a.Event, error] {
	return s.flow("SubscribeToTask", r)
}

// SendStreamingMessage implements [a2asrv.RequestHandler].
func (s *a2aServers) SendStreamingMessage(_ context.Context, r *a2a.SendMessageRequest) iter.Seq2[a2a.Event, error] {
	return s.flow("SendStreamingMessage", r)
}

// DeleteTaskPushConfig implements [a2asrv.RequestHandler].
func (s *a2aServers) DeleteTaskPushConfig(_ context.Context, r *a2a.DeleteTaskPushConfigRequest) error {
	return s.hear("DeleteTaskPushNotificationConfig", r)
}

// CreateTaskPushConfig implements [a2asrv.RequestHandler]. This version of the
// SDK has the configuration in a member of its own; A2A 1.0 does not.
func (s *a2aServers) CreateTaskPushConfig(_ context.Context, r *a2a.CreateTaskPushConfigRequest) (*a2a.TaskPushConfig, error) {
	text, err := json.Marshal(r.Config)
	flat := make(map[string]any)
	if err == nil {
		err = json.Unmarshal(text, &flat)
	}
	if err != nil {
		panic(err)
	}
	flat["taskId"], flat["tenant"] = r.TaskID, r.Tenant
	return nil, s.hear("CreateTaskPushNotificationConfig", flat)
}
