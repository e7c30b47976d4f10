"""Examples of how programs call an instance, in the languages of the panel's users."""

import msgspec

from polyant.domain.instances import Instance


class Snippet(msgspec.Struct, frozen=True):
    """An example in one language."""

    id: str
    language: str
    code: str


def snippets_of(instance: Instance, base_url: str) -> tuple[Snippet, ...]:
    """Returns examples that call the instance; its key comes from an environment variable."""
    variable = f"{instance.slug.upper().replace('-', '_').replace('.', '_')}_KEY"
    return (
        Snippet("curl", "curl", _curl(instance, base_url, variable)),
        Snippet("python", "Python", _python(instance, base_url, variable)),
        Snippet("typescript", "TypeScript", _typescript(instance, base_url, variable)),
    )


def _curl(instance: Instance, base_url: str, variable: str) -> str:
    key = f'  -H "Authorization: Bearer ${variable}" \\\n' if instance.auth_enabled else ""
    return (
        f"curl {base_url}/chat/completions \\\n{key}"
        '  -H "Content-Type: application/json" \\\n'
        "  -d '{\n"
        f'    "model": "{instance.slug}",\n'
        '    "messages": [{"role": "user", "content": "Hello!"}]\n'
        "  }'"
    )


def _python(instance: Instance, base_url: str, variable: str) -> str:
    key = f'os.environ["{variable}"]' if instance.auth_enabled else '"none"'
    head = "import os\nfrom openai import OpenAI\n" if instance.auth_enabled else "from openai import OpenAI\n"
    return (
        f"{head}\n"
        f'client = OpenAI(base_url="{base_url}", api_key={key})\n'
        "answer = client.chat.completions.create(\n"
        f'    model="{instance.slug}",\n'
        '    messages=[{"role": "user", "content": "Hello!"}],\n'
        ")\n"
        "print(answer.choices[0].message.content)"
    )


def _typescript(instance: Instance, base_url: str, variable: str) -> str:
    key = f"process.env.{variable}" if instance.auth_enabled else '"none"'
    return (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{\n  baseURL: "{base_url}",\n  apiKey: {key},\n}});\n'
        "const answer = await client.chat.completions.create({\n"
        f'  model: "{instance.slug}",\n'
        '  messages: [{ role: "user", content: "Hello!" }],\n'
        "});\n"
        "console.log(answer.choices[0].message.content);"
    )
