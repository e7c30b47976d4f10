// The server was started with CORS_ORIGINS=https://the-page.example
const response = await fetch("http://localhost:4000/v1/chat/completions", {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: "Bearer sk-myinstancekey" },
  body: JSON.stringify({ model: "demo-bot", messages: [{ role: "user", content: "Hello!" }] }),
});
if (!response.ok) throw new Error((await response.json()).message);
console.log((await response.json()).choices[0].message.content);
