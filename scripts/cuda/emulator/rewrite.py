"""Turns preprocessed CUDA C++ (standard input) into C++ for the processor: shared memory, and the table of entries.

    static __shared__   becomes a static variable, which emulated_touch fills with garbage at the start of each block
    extern __shared__   becomes a pointer to the one area of dynamic shared memory
    __global__          goes; the extern "C" functions that had it are listed in a table at the end
"""
import re
import sys

text = sys.stdin.read()
ATTRIBUTE = r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|alignas\s*\([^)]*\)"
LINE_MARKER = re.compile(r"^#.*$", re.M)


def split_declarators(declaration):
    parts, depth, inside, start = [], 0, 0, 0  # `inside` counts the brackets in which < and > compare or shift
    for i, c in enumerate(declaration):
        if c in "([{" or (c == "<" and not inside):
            depth += 1
            inside += c in "(["
        elif c in ")]}" or (c == ">" and not inside):
            depth -= 1
            inside -= c in ")]"
        elif c == "," and depth == 0:
            parts.append(declaration[start:i])
            start = i + 1
    return parts + [declaration[start:]]


def declared_name(declarator):
    return re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", declarator.strip()).group(1)


def shared(statement):
    if re.search(r"\bextern\b", statement):
        plain = re.sub(ATTRIBUTE, " ", statement)
        plain = re.sub(r"\b(?:extern|__shared__)\b", " ", plain).strip()
        type_, name = re.fullmatch(r"(.*?)(\w+)\s*\[\s*\]", plain, re.S).groups()
        return f"[[maybe_unused]] {type_.strip()} *const {name} = ({type_.strip()} *)(void *)emulated_dynamic_shared"
    declaration = re.sub(r"\b(?:static|__shared__)\b", " ", statement).strip()
    names = [declared_name(d) for d in split_declarators(re.sub(ATTRIBUTE, " ", declaration))]
    touches = "".join(
        f"; [[maybe_unused]] const bool emulated_touched_{n} = emulated_touch((void *)&{n}, sizeof {n})" for n in names)
    return f"static {declaration}{touches}"


def rewrite_shared(source):
    out, done = [], 0
    for match in re.finditer(r"\b__shared__\b", source):
        if match.start() < done:
            continue
        start = max(source.rfind(c, done, match.start()) for c in ";{}") + 1
        start = max(start, done)
        for marker in LINE_MARKER.finditer(source, start, match.start()):
            start = marker.end()
        end = source.index(";", match.end())
        out += [source[done:start], "\n", shared(source[start:end])]
        done = end
    return "".join(out) + source[done:]


def extern_c_blocks(source):
    for match in re.finditer(r'extern\s+"C"\s*\{', source):
        depth, i = 1, match.end()
        while depth and i < len(source):
            depth += {"{": 1, "}": -1}.get(source[i], 0)
            i += 1
        yield match.end(), i


BOUNDS = re.compile(r"__launch_bounds__\s*\(((?:[^()]|\([^()]*\))*)\)")
kernels = {}
blocks = list(extern_c_blocks(text)) if re.search(r"\b__global__\b", text) else []
for match in re.finditer(r"\b__global__\b", text):
    before = text[max(text.rfind(c, 0, match.start()) for c in ";{}") + 1:match.start()]
    named = 'extern "C"' in re.sub(r"\s+", " ", before) or any(a <= match.start() < b for a, b in blocks)
    if not named or re.search(r"\btemplate\b", before):
        continue
    head = before + text[match.end():text.index("{", match.end())]
    bounds = BOUNDS.search(head)
    head = re.sub(ATTRIBUTE, " ", BOUNDS.sub(" ", text[match.end():text.index("{", match.end())]))
    if ";" in head:
        continue  # a declaration only
    name = re.search(r"(\w+)\s*\(", head).group(1)
    kernels[name] = split_declarators(bounds.group(1))[0].strip() if bounds else "0"

text = BOUNDS.sub(" ", re.sub(r"\b__global__\b", " ", rewrite_shared(text)))
print(text)
if kernels:
    print("static const EmulatedKernel emulated_table[] = {")
    for name, bounds in kernels.items():
        print(f'    {{"{name}", emulated_thread<&{name}>, decltype(emulated_signature(&{name}))::parameters, '
              f"static_cast<unsigned>(emulated_count(&{name})), static_cast<unsigned>({bounds})}},")
    print("};")
    print('extern "C" __attribute__((visibility("default"))) const EmulatedKernels emulated_kernels = '
          f"{{emulated_table, {len(kernels)}}};")
