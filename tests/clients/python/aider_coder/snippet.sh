export OPENAI_API_BASE=http://localhost:4000/v1 OPENAI_API_KEY=sk-myinstancekey
aider --model openai/demo-bot --no-show-model-warnings --no-gitignore --no-check-update --analytics-disable \
  --chat-mode ask --yes-always --message "Hello!"
